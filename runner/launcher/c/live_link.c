/* Makes and removes links of a running container, reached by its first process. */
#define _GNU_SOURCE
#include "live_link.h"
#include "namespaces.h"
#include "netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* The caller's process is in that namespace from now on; `namespace` is closed. */
static int enter(int namespace, uint32_t pid, struct report *report) {
    char object[16];
    snprintf(object, sizeof(object), "%u", pid);
    int result = setns(namespace, CLONE_NEWNET) < 0 ? fail(report, errno, "join network namespace of process", object) : 0;
    close(namespace);
    return result;
}

int live_link_connect(struct reader *reader, struct report *report) {
    struct link_operation link;
    struct address_operation address;
    uint32_t pid = get_u32(reader);
    get_link(reader, &link);
    get_address(reader, &address);
    if (reader->bad || reader->left) return fail(report, EINVAL, "decode", "link");
    int namespace = open_network_namespace(pid, report);
    if (namespace < 0) return -1;
    if (link_create(&link, IFLA_NET_NS_FD, (uint32_t)namespace, report) < 0) return close(namespace), -1;
    if (enter(namespace, pid, report) < 0) return -1;
    uint32_t gateway = address.gateway;
    address.gateway = 0;
    if (address_set(&address, report) == 0 && default_route_set(address.name, gateway, report) == 0) return 0;
    /* The pair goes with either of its ends. */
    struct report ignored;
    link_remove(link.container_name, &ignored);
    return -1;
}

int live_link_disconnect(struct reader *reader, struct report *report) {
    uint32_t pid = get_u32(reader);
    const char *name = next_string(reader);
    if (reader->bad || reader->left) return fail(report, EINVAL, "decode", "link");
    int namespace = open_network_namespace(pid, report);
    /* Its namespace ended with it, and with that its links. */
    if (namespace < 0 && report->error == ESRCH) return *report = (struct report){.kind = REPORT_DONE}, 0;
    if (namespace < 0) return -1;
    return enter(namespace, pid, report) < 0 ? -1 : link_remove_promptly(name, report);
}

int live_link_set_gateway(struct reader *reader, struct report *report) {
    uint32_t pid = get_u32(reader);
    const char *name = next_string(reader);
    uint32_t gateway = get_u32(reader);
    if (reader->bad || reader->left) return fail(report, EINVAL, "decode", "gateway");
    int namespace = open_network_namespace(pid, report);
    if (namespace < 0) return -1;
    return enter(namespace, pid, report) < 0 ? -1 : default_route_set(name, gateway, report);
}
