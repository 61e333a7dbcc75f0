/* The mounts of a plan that a child in a user namespace has no right to make: made here, and sent to it detached. */
#ifndef BERTH_HOST_MOUNTS_H
#define BERTH_HOST_MOUNTS_H

#include "plan.h"

/* `user_namespace`: whose ids the owners of files on disk become. The caller's mount namespace becomes one of its own. */
int host_mounts_send(const struct plan *plan, int user_namespace, const struct id_maps_operation *maps, int socket,
                     struct report *report);

#endif
