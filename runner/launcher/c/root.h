/* The root of a container, from its mount to its being `/`. */
#ifndef BERTH_ROOT_H
#define BERTH_ROOT_H

#include "plan.h"

/* Returns the fd of the mounted root. */
int mount_overlay(const struct overlay_operation *overlay, struct report *report);
/* The same, detached, with layers whose owners are ids of a user namespace; it has to be the caller's mount namespace alone. */
int mount_mapped_overlay(const struct overlay_operation *overlay, int user_namespace,
                         const struct id_maps_operation *maps, struct report *report);
/* A complete tree as the root: a mount of its own, private, of a directory that is no symlink; detached, or mounted. */
int open_directory_root(const char *source, struct report *report);
int mount_directory(const char *source, const char *mount_point, struct report *report);
int pivot(int root, const struct pivot_operation *how, struct report *report);

#endif
