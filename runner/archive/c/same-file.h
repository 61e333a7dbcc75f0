#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

/* One that is open, by an O_PATH descriptor. */
struct file {
	int found; /* negative: there is none */
	struct stat status;
};

/*
 * Whether `own`, a copy that was made of `other` at the time `made`, is still like that: kind, owner, mode and what is in
 * it, which is read only when it may have been written since. `path` is for errors.
 */
bool same_file(const struct file *own, const struct file *other, const struct timespec *made, const char *path);
