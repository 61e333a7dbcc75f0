/* The mount operations of a plan. `root` is the fd of the new root; nothing is attached outside of it. */
#ifndef BERTH_MOUNTS_H
#define BERTH_MOUNTS_H

#include "plan.h"

/* In the spawner and its children: the mount namespace that the runner lives in. */
#define HOST_NAMESPACE_FD 5

/* Returns the fd of the mounted root. */
int mount_overlay(const struct overlay_operation *overlay, struct report *report);
/* The same, detached, with layers whose owners are ids of a user namespace; it has to be the caller's mount namespace alone. */
int mount_mapped_overlay(const struct overlay_operation *overlay, int user_namespace,
                         const struct id_maps_operation *maps, struct report *report);
/* A complete tree as the root: a mount of its own, private, of a directory that is no symlink; detached, or mounted. */
int open_directory_root(const char *source, struct report *report);
int mount_directory(const char *source, const char *mount_point, struct report *report);
int mount_filesystem(int root, const struct filesystem_operation *filesystem, struct report *report);
/* A detached mount of a bind's source; `user_namespace`: whose ids its owners become when it asks for that, or -1. */
int open_bind(const struct bind_operation *bind, int user_namespace, struct report *report);
/* `tree`: such a mount, or -1 to open it. */
int mount_bind(int root, int tree, const struct bind_operation *bind, struct report *report);
/* Makes the owners in a detached mount ids of a user namespace. */
int map_owners(int tree, int user_namespace, const char *path, struct report *report);
/* A detached mount of the host's node. */
int open_device(const struct device_operation *device, struct report *report);
/* `tree`: such a mount, or -1 to make a node. */
int make_device(int root, int tree, const struct device_operation *device, struct report *report);
int make_symlink(int root, const char *path, const char *target, struct report *report);
int mask_path(int root, const char *path, struct report *report);
int make_path_readonly(int root, const char *path, struct report *report);
int write_sysctl(const char *name, const char *value, struct report *report);
int pivot(int root, const struct pivot_operation *how, struct report *report);
/* Opens a pty in the container's devpts: *terminal is its other end, which becomes the stdio. */
int open_pty(int root, int *terminal, struct report *report);
int mount_console(int root, int terminal, struct report *report);

#endif
