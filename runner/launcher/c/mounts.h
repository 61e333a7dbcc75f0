/* The mount operations of a plan. `root` is the fd of the new root; nothing is attached outside of it. */
#ifndef BERTH_MOUNTS_H
#define BERTH_MOUNTS_H

#include "plan.h"

/* In the spawner and its children: the mount namespace that the runner lives in. */
#define HOST_NAMESPACE_FD 5

int mount_filesystem(int root, const struct filesystem_operation *filesystem, struct report *report);
/* A detached mount of a bind's source; `user_namespace`: whose ids its owners become when it asks for that, or -1. */
int open_bind(const struct bind_operation *bind, int user_namespace, struct report *report);
/* `tree`: such a mount, or -1 to open it. */
int mount_bind(int root, int tree, const struct bind_operation *bind, struct report *report);
int make_symlink(int root, const char *path, const char *target, struct report *report);

#endif
