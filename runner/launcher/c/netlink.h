/* Links over rtnetlink, in the network namespace of the caller. Addresses are in network order. */
#ifndef BERTH_NETLINK_H
#define BERTH_NETLINK_H

#include "plan.h"

int bridge_ensure(const char *name, uint32_t address, uint32_t prefix, struct report *report);
/*
 * A veth pair: the host end attached to the bridge and up, the other end in the network namespace that `owner` names, as
 * IFLA_NET_NS_PID or IFLA_NET_NS_FD do.
 */
int link_create(const struct link_operation *link, uint16_t owner_kind, uint32_t owner, struct report *report);
int link_remove(const char *name, struct report *report);
int link_remove_promptly(const char *name, struct report *report);
int loopback_up(struct report *report);
int address_set(const struct address_operation *address, struct report *report);
/* The default route, whose ever it is now, becomes one by that link; a gateway of 0 leaves it. */
int default_route_set(const char *link, uint32_t gateway, struct report *report);

#endif
