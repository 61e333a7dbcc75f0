#pragma once

/*
 * openat2 with `root` as the root directory: absolute symlinks and `..` stay inside, no magic links, no mount crossed
 * unless beneath_cross_mounts was called. The empty path is the root. O_CLOEXEC is added. -1 and errno on failure.
 */
int beneath_open(int root, const char *path, int flags);

/* For a container's own tree, where volumes are mounted; a layer has no mounts. */
void beneath_cross_mounts(void);

/* Removes whatever is named `base` in `directory`, with all that it holds; it is no error when nothing is there. */
void beneath_remove(int directory, const char *base, const char *entry);
