#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What is mounted upon the root of a container that does not run. */
struct bind {
	const char *source; /* on the host */
	const char *destination; /* in the container */
	bool readonly;
};

struct overlay {
	size_t lower_count;
	char **lower; /* uppermost first */
	const char *upper; /* NULL: changes go to a file system in memory that ends with this process */
	const char *work;
};

/*
 * The root of a running container as its first process sees it, as an O_PATH descriptor. `cgroup` is a part of that
 * process's cgroup's path, by which it is known again: the number alone may be another process's by now.
 */
int view_process(pid_t pid, const char *cgroup);

/*
 * From here on this process has a mount namespace of its own, and in it the root with all binds upon it; everything goes
 * with the process.
 */
int view_overlay(const struct overlay *overlay, bool readonly, const struct bind *binds, size_t count);
int view_directory(const char *directory, bool readonly, const struct bind *binds, size_t count);
