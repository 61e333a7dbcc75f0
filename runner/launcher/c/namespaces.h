/* Namespaces by descriptor. */
#ifndef BERTH_NAMESPACES_H
#define BERTH_NAMESPACES_H

#include "plan.h"

/* Opens a file of procfs or a bind of one, and verifies that it is a namespace of that kind (CLONE_NEW*). */
int open_namespace(const char *path, uint32_t kind, struct report *report);
bool is_own_namespace(int fd, uint32_t kind);
const char *namespace_name(uint32_t kind);
/* That of a process which lives while this runs; ESRCH when there is none. */
int open_network_namespace(uint32_t pid, struct report *report);

#endif
