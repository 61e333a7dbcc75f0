#pragma once

#include <stddef.h>
#include <stdint.h>

#include "changes.h"
#include "same-file.h"

/* Which layers show in a directory, by their place among all, uppermost first. */
struct shown {
	size_t count;
	uint16_t layers[CHANGES_MAX_LAYERS];
};

/* What the layers have at a path, and which of them. */
struct below {
	struct file file;
	uint16_t layer;
};

/* The file at a path of a tree, in which no component is a symbolic link. */
struct file open_file(int top, const char *path);

/* As overlayfs looks it up; `inside` says which layers show in it when it is a directory. */
struct below find_below(const int *layers, const struct shown *shown, const char *path, struct shown *inside);
