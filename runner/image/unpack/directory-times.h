#pragma once

#include <stddef.h>
#include <stdint.h>

/* Directories and their modification times, to be set when everything is written. Memory is capped. */
struct directory_times {
	char *records; /* struct time_record and its path, one after the other */
	size_t used;
	size_t capacity;
};

void directory_times_add(struct directory_times *times, const char *path, int64_t seconds, long nanoseconds);

/* Applies them in order, so that the last one said of a directory holds. */
void directory_times_apply(struct directory_times *times, int root);
