#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "input.h"

#define MAX_XATTRS 64
#define PAX_BYTES (1u << 20)

struct xattr {
	const char *name; /* terminated */
	const uint8_t *value;
	size_t value_bytes;
};

/* One entry of a tar, whatever dialect wrote it: ustar, PAX (POSIX.1-2001 pax, "pax Header Block"), old and new GNU. */
struct entry {
	char type; /* ustar typeflag; '0' for every kind of regular file */
	char name[PATH_MAX];
	char link[PATH_MAX];
	uint64_t size; /* of the data that follows; 0 for types without data */
	mode_t mode; /* permission bits and setuid, setgid, sticky */
	uid_t uid;
	gid_t gid;
	int64_t mtime;
	long mtime_nanoseconds;
	unsigned device_major;
	unsigned device_minor;
	size_t xattr_count;
	struct xattr xattrs[MAX_XATTRS]; /* point into pax */
	char pax[PAX_BYTES]; /* the extended header of this entry */
};

/*
 * Reads the next entry's headers; its data, padded to 512, is the caller's to take. False at the end of the archive.
 * `first` makes a bad header "not-tar" instead of "corrupt".
 */
bool header_next(struct input *input, struct entry *entry, bool first);

/* Bytes of padding after `size` bytes of data. */
unsigned header_padding(uint64_t size);
