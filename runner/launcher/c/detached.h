/* Mounts that are attached nowhere yet, by descriptor, and what the files of the mount operations do with them alike. */
#ifndef BERTH_DETACHED_H
#define BERTH_DETACHED_H

#include "plan.h"

/* The magic number of the file system that `fd` is on (<linux/magic.h>), 0 when that cannot be told. */
long filesystem_of(int fd);
/* Nothing of the host's or the image's choice may come to lie on or under /proc or /sys, where masks are. */
bool is_guarded(int target);
/* A new file system. */
int create_filesystem(const struct filesystem_operation *filesystem, struct report *report);
/* Makes the owners in a mount ids of a user namespace. */
int map_owners(int tree, int user_namespace, const char *path, struct report *report);
/* Puts a mount on an open target. */
int attach(int mount, int target);
/* Closes `fd` and fails with the errno of the call before. */
int fail_closing(int fd, struct report *report, const char *operation, const char *object);

#endif
