/* Links over rtnetlink, in the network namespace of the caller. Addresses are in network order. */
#ifndef BERTH_NETLINK_H
#define BERTH_NETLINK_H

#include "plan.h"

int bridge_ensure(const char *name, uint32_t address, uint32_t prefix, struct report *report);
/* A veth pair: the host end attached to the bridge and up, the other end in the namespace of `pid`. */
int link_create(const struct link_operation *link, pid_t pid, struct report *report);
int link_remove(const char *name, struct report *report);
int link_remove_promptly(const char *name, struct report *report);
int loopback_up(struct report *report);
int address_set(const struct address_operation *address, struct report *report);

#endif
