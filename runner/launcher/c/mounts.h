/* The mount operations of a plan. `root` is the fd of the new root; nothing is attached outside of it. */
#ifndef BERTH_MOUNTS_H
#define BERTH_MOUNTS_H

#include "plan.h"

/* In the spawner and its children: the mount namespace that the runner lives in. */
#define HOST_NAMESPACE_FD 5

/* Returns the fd of the mounted root. */
int mount_overlay(const struct overlay_operation *overlay, struct report *report);
int mount_filesystem(int root, const struct filesystem_operation *filesystem, struct report *report);
int mount_bind(int root, const struct bind_operation *bind, struct report *report);
int make_device(int root, const struct device_operation *device, struct report *report);
int make_symlink(int root, const char *path, const char *target, struct report *report);
int mask_path(int root, const char *path, struct report *report);
int make_path_readonly(int root, const char *path, struct report *report);
int write_sysctl(const char *name, const char *value, struct report *report);
int pivot(int root, bool readonly, struct report *report);
/* Opens a pty in the container's devpts: *terminal is its other end, which becomes the stdio. */
int open_pty(int root, int *terminal, struct report *report);
int mount_console(int root, int terminal, struct report *report);

#endif
