#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#define CHANGES_MAX_LAYERS 500

struct changes_options {
	bool as_layer; /* as the tar of a layer; else as a list */
	struct timespec made; /* what has not been touched since is not read */
	char **skipped; /* paths that are left out, ended by NULL */
};

/*
 * What a complete tree has that its layers (uppermost first, with overlayfs' marks) together have not, and the other way
 * round, on stdout. A list has records "KIND SIZE PATH\0", KIND being A (added), M (modified) or D (deleted); a directory
 * in which anything changed is modified, the top is never told.
 */
void changes_tell(int top, const int *layers, size_t count, const struct changes_options *options);
