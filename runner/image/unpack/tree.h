#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "directory-times.h"
#include "header.h"
#include "limits.h"

/*
 * The directory that a layer is written into. Parents are opened by openat2 with the root as their root, so that a
 * symlink of the layer resolves inside the layer, as it would in a container; the last component is always created
 * anew and never followed.
 */
struct tree {
	int root;
	const struct limits *limits;
	uint64_t entries;
	uint64_t content_bytes;
	uint64_t whiteouts;
	uint64_t skipped_xattrs; /* of a kind that a layer may not set, or that the file system does not have */
	bool opaque_root; /* the layer hides all that lies below it */
	int parent; /* the directory of the last entry, kept open: neighbours follow each other */
	bool parent_current; /* parent_path still leads to it */
	char parent_path[PATH_MAX];
	bool replaced; /* an entry took the place of an earlier one */
	bool literal; /* the archive is no layer: names that begin with `.wh.` are names like others */
	bool applies; /* whiteouts take away what earlier layers have put here, instead of being written down */
	bool keep_top; /* the directory that it is unpacked into is left as it is, whatever the archive says of it */
	bool keep_kinds; /* a directory is never replaced by anything else, nor anything else by a directory */
	char prefix[PATH_MAX]; /* that directory beneath the root; empty: the root itself */
	struct directory_times times;
};

/* `root` stays the caller's to close. */
void tree_use(struct tree *tree, int root, const struct limits *limits);
void tree_open(struct tree *tree, const char *directory, const struct limits *limits);

/* Writes one entry, taking its data and padding from the input. */
void tree_add(struct tree *tree, struct input *input, const struct entry *entry);

/* Sets the directories' times, which every file written into them changed. */
void tree_finish(struct tree *tree);
