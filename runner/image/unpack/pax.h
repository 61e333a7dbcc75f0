#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "header.h"

/* The records of a PAX extended header that we heed; texts point into the entry's pax buffer. */
struct pax {
	bool seen;
	const char *path;
	const char *linkpath;
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size;
	int64_t uid, gid;
	int64_t mtime;
	long mtime_nanoseconds;
};

/* Reads an extended header of `size` bytes; its xattrs (SCHILY.xattr.*) go into the entry at once. */
void pax_read(struct input *input, uint64_t size, struct entry *entry, struct pax *pax);

/* Overrides the entry's fields by what the records said. */
void pax_apply(const struct pax *pax, struct entry *entry);
