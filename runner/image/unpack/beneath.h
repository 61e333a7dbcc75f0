#pragma once

/*
 * openat2 with `root` as the root directory: absolute symlinks and `..` stay inside, no magic links, no mount crossed.
 * The empty path is the root. O_CLOEXEC is added. -1 and errno on failure.
 */
int beneath_open(int root, const char *path, int flags);

/* Removes whatever is named `base` in `directory`, with all that it holds; it is no error when nothing is there. */
void beneath_remove(int directory, const char *base, const char *entry);
