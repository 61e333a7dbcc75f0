#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* A tar on its way out: ustar headers, and PAX (POSIX.1-2001) extended ones for what does not fit. */
struct archive {
	int fd;
	bool nanoseconds; /* times to the nanosecond, by an extended header; else whole seconds, as Docker's */
	size_t used;
	uint8_t buffer[256u << 10];
};

/* What is beside the stat of an entry. The name of a directory ends in a slash. */
struct member {
	const char *name;
	const char *link; /* symlink's or hard link's; else empty */
	char type; /* ustar typeflag */
	int descriptor; /* an O_PATH descriptor, whose extended attributes are taken along; -1: none are */
};

void archive_open(struct archive *archive, int fd);
void archive_member(struct archive *archive, const struct member *member, const struct stat *status);
/* The content of the member begun last, `size` bytes in all, then its padding. */
void archive_bytes(struct archive *archive, const void *bytes, size_t count);
void archive_pad(struct archive *archive, uint64_t size);
void archive_close(struct archive *archive);
