#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Names as tars write them, made into paths beneath the layer's root: no leading slash, no empty or `.` component,
 * `a/..` folded. The root itself is the empty path. False when `..` leads above the root.
 */
bool path_clean(const char *name, char path[PATH_MAX], uint64_t *depth);

/* Splits at the last slash; the parent of a single component is the empty path. */
void path_split(const char *path, char parent[PATH_MAX], const char **base);
