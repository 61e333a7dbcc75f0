#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/sha.h>
#include <zlib.h>

#include "limits.h"
#include "recipe.h"

#define INPUT_BUFFER_BYTES (256u << 10)

/*
 * The layer stream: reads a file descriptor, inflates it if it is gzip (told by its magic number, several members as
 * pigz and stargz write them), and computes both digests on the way.
 */
struct input {
	int fd;
	bool started;
	bool gzip;
	bool source_ended;
	const struct limits *limits;
	struct recipe *recipe; /* records how the tar can be put together again; NULL: nobody wants that */
	bool diverted;
	z_stream inflater;
	bool inside_member;
	SHA256_CTX source_digest; /* of the bytes as they came */
	SHA256_CTX tar_digest; /* of the tar: the diffID. Unused when the source is no gzip. */
	uint64_t source_bytes;
	uint64_t tar_bytes;
	const uint8_t *ready; /* tar bytes not yet taken */
	size_t ready_bytes;
	uint8_t source[INPUT_BUFFER_BYTES];
	uint8_t inflated[INPUT_BUFFER_BYTES];
};

void input_open(struct input *input, int fd, const struct limits *limits);

/* The tar bytes at hand, at least one; 0 at the end of the stream. */
size_t input_peek(struct input *input, const uint8_t **bytes);
void input_advance(struct input *input, size_t count);

/* Fills buffer; false when the stream ended exactly before it. A stream that ends inside it is a failure. */
bool input_read(struct input *input, void *buffer, size_t count);
void input_skip(struct input *input, uint64_t count);

/* What is taken from now on is the content of this file of the tree, or (NULL) of none. */
void input_divert(struct input *input, const char *path, uint64_t size);

/* Reads to the end, so that the digests cover everything. */
void input_drain(struct input *input);

/* Digests as 64 hex digits and a terminator; the input must be drained. */
void input_digests(struct input *input, char source[65], char tar[65]);
