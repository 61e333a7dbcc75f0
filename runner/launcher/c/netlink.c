/* The few rtnetlink requests that a container's network needs, each acknowledged by the kernel before the next. */
#define _GNU_SOURCE
#include "netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct request {
    struct nlmsghdr header;
    uint8_t body[1000];
};

static struct nlattr *attribute(struct request *request, uint16_t type, const void *data, size_t size) {
    struct nlattr *at = (struct nlattr *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    at->nla_type = type;
    at->nla_len = (uint16_t)(NLA_HDRLEN + size);
    if (size) memcpy((uint8_t *)at + NLA_HDRLEN, data, size);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + NLA_ALIGN(at->nla_len);
    return at;
}

static void attribute_text(struct request *request, uint16_t type, const char *text) {
    attribute(request, type, text, strlen(text) + 1);
}

/* Ends a nested attribute: its length is all that was written since. */
static void attribute_end(struct request *request, struct nlattr *nest) {
    nest->nla_len = (uint16_t)((uint8_t *)request + request->header.nlmsg_len - (uint8_t *)nest);
}

static void begin(struct request *request, uint16_t type, uint16_t flags, const void *body, size_t size) {
    memset(request, 0, sizeof(*request));
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    memcpy(request->body, body, size);
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
}

/* Sends one request and waits for the kernel's answer; -1 with errno when it refuses. */
static int talk(const struct request *request) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -1;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    union {
        struct nlmsghdr header;
        uint8_t bytes[4096];
    } answer;
    int error = EIO;
    if (sendto(fd, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
        error = errno;
    } else {
        ssize_t size = recv(fd, &answer, sizeof(answer), 0);
        if (size >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) && answer.header.nlmsg_type == NLMSG_ERROR)
            error = -((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
    }
    close(fd);
    errno = error;
    return error ? -1 : 0;
}

/* Names come from plans: longer ones than the kernel's would be cut or refused late. */
static bool name_fits(const char *name) { return *name && strlen(name) < IFNAMSIZ; }

static int add_address(uint32_t index, uint32_t address, uint32_t prefix) {
    struct request request;
    struct ifaddrmsg body = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix, .ifa_index = index};
    begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
    attribute(&request, IFA_LOCAL, &address, sizeof(address));
    attribute(&request, IFA_ADDRESS, &address, sizeof(address));
    return talk(&request);
}

static int set_up(uint32_t index) {
    struct request request;
    struct ifinfomsg body = {.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    begin(&request, RTM_NEWLINK, 0, &body, sizeof(body));
    return talk(&request);
}

/* The bridge gets a MAC of its own; otherwise it would take, and change to, the lowest of its ports'. */
static int bridge_create(const char *name, uint32_t address) {
    struct request request;
    struct ifinfomsg body = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
    attribute_text(&request, IFLA_IFNAME, name);
    uint8_t mac[6] = {0x02, 0x42};
    memcpy(mac + 2, &address, 4);
    attribute(&request, IFLA_ADDRESS, mac, sizeof(mac));
    struct nlattr *info = attribute(&request, IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
    attribute_text(&request, IFLA_INFO_KIND, "bridge");
    attribute_end(&request, info);
    return talk(&request);
}

int bridge_ensure(const char *name, uint32_t address, uint32_t prefix, struct report *report) {
    if (!name_fits(name)) return fail(report, EINVAL, "create bridge", name);
    if (bridge_create(name, address) < 0 && errno != EEXIST) return fail(report, errno, "create bridge", name);
    uint32_t index = if_nametoindex(name);
    if (!index) return fail(report, errno, "find bridge", name);
    if (add_address(index, address, prefix) < 0) return fail(report, errno, "set address of bridge", name);
    if (set_up(index) < 0) return fail(report, errno, "bring up bridge", name);
    return 0;
}

static int veth_create(const struct link_operation *link, uint32_t bridge, uint16_t owner_kind, uint32_t owner) {
    struct request request;
    struct ifinfomsg body = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
    attribute_text(&request, IFLA_IFNAME, link->host_name);
    attribute(&request, IFLA_MASTER, &bridge, sizeof(bridge));
    if (link->mtu) attribute(&request, IFLA_MTU, &link->mtu, sizeof(link->mtu));
    struct nlattr *info = attribute(&request, IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
    attribute_text(&request, IFLA_INFO_KIND, "veth");
    struct nlattr *data = attribute(&request, IFLA_INFO_DATA | NLA_F_NESTED, NULL, 0);
    struct ifinfomsg peer_body = {0};
    /* The peer is described inside, and made in the container's namespace at once: nothing has to be moved. */
    struct nlattr *peer = attribute(&request, VETH_INFO_PEER | NLA_F_NESTED, &peer_body, sizeof(peer_body));
    attribute_text(&request, IFLA_IFNAME, link->container_name);
    attribute(&request, IFLA_ADDRESS, link->mac, sizeof(link->mac));
    if (link->mtu) attribute(&request, IFLA_MTU, &link->mtu, sizeof(link->mtu));
    attribute(&request, owner_kind, &owner, sizeof(owner));
    attribute_end(&request, peer);
    attribute_end(&request, data);
    attribute_end(&request, info);
    return talk(&request);
}

/* Without hairpin mode, netfilter's bridge hooks lose what a container sends to its own published port. */
static int set_port_modes(const struct link_operation *link) {
    struct request request;
    struct ifinfomsg body = {.ifi_family = AF_BRIDGE, .ifi_index = (int)if_nametoindex(link->host_name)};
    begin(&request, RTM_SETLINK, 0, &body, sizeof(body));
    struct nlattr *port = attribute(&request, IFLA_PROTINFO | NLA_F_NESTED, NULL, 0);
    uint8_t on = 1;
    attribute(&request, IFLA_BRPORT_MODE, &on, sizeof(on));
    if (link->isolated) attribute(&request, IFLA_BRPORT_ISOLATED, &on, sizeof(on));
    attribute_end(&request, port);
    return talk(&request);
}

int link_create(const struct link_operation *link, uint16_t owner_kind, uint32_t owner, struct report *report) {
    if (!name_fits(link->host_name) || !name_fits(link->container_name) || !name_fits(link->bridge))
        return fail(report, EINVAL, "create link", link->host_name);
    uint32_t bridge = if_nametoindex(link->bridge);
    if (!bridge) return fail(report, errno, "find bridge", link->bridge);
    int result = veth_create(link, bridge, owner_kind, owner);
    if (result < 0 && errno == EEXIST) {
        /* Left by a launch that was cut short: the name is this container's alone. */
        if (link_remove(link->host_name, report) < 0) return -1;
        result = veth_create(link, bridge, owner_kind, owner);
    }
    if (result < 0) return fail(report, errno, "create link", link->host_name);
    if (set_port_modes(link) < 0) return fail(report, errno, "set port modes of link", link->host_name);
    return 0;
}

int link_remove(const char *name, struct report *report) {
    if (!name_fits(name)) return fail(report, EINVAL, "remove link", name);
    struct request request;
    struct ifinfomsg body = {0};
    begin(&request, RTM_DELLINK, 0, &body, sizeof(body));
    attribute_text(&request, IFLA_IFNAME, name);
    if (talk(&request) < 0 && errno != ENODEV) return fail(report, errno, "remove link", name);
    return 0;
}

/*
 * Takes a link off the host without waiting for the kernel's word: that comes after the grace period in which the
 * device's memory is freed, 10 to 30 ms after the device is gone for everybody. A child waits for it, and nobody for the
 * child: only for a process that ends soon.
 */
int link_remove_promptly(const char *name, struct report *report) {
    int pair[2];
    if (!name_fits(name) || !if_nametoindex(name)) return link_remove(name, report);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail(report, errno, "create", "pair");
    pid_t pid = fork();
    if (pid == 0) {
        link_remove(name, report);
        _exit(0);
    }
    close(pair[1]);
    struct pollfd ended = {.fd = pair[0], .events = POLLIN};
    struct timespec pause = {.tv_nsec = 100000};
    while (pid > 0 && if_nametoindex(name) && ppoll(&ended, 1, &pause, NULL) == 0)
        if (pause.tv_nsec < 2000000) pause.tv_nsec += pause.tv_nsec / 2;
    close(pair[0]);
    /* The name goes first; the kernel's lock is free for this request when the rest is gone. It also tells a refusal. */
    return link_remove(name, report);
}

int loopback_up(struct report *report) {
    return set_up(1) < 0 ? fail(report, errno, "bring up link", "lo") : 0; /* lo is 1 in every namespace */
}

static int add_default_route(uint32_t index, uint32_t gateway, uint16_t flags) {
    struct request request;
    struct rtmsg body = {.rtm_family = AF_INET,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_BOOT,
                         .rtm_scope = RT_SCOPE_UNIVERSE,
                         .rtm_type = RTN_UNICAST};
    begin(&request, RTM_NEWROUTE, NLM_F_CREATE | flags, &body, sizeof(body));
    attribute(&request, RTA_GATEWAY, &gateway, sizeof(gateway));
    attribute(&request, RTA_OIF, &index, sizeof(index));
    return talk(&request);
}

int address_set(const struct address_operation *address, struct report *report) {
    uint32_t index = if_nametoindex(address->name);
    if (!index) return fail(report, errno, "find link", address->name);
    if (add_address(index, address->address, address->prefix) < 0)
        return fail(report, errno, "set address of link", address->name);
    if (set_up(index) < 0) return fail(report, errno, "bring up link", address->name);
    if (address->gateway && add_default_route(index, address->gateway, NLM_F_EXCL) < 0)
        return fail(report, errno, "set default route by", address->name);
    return 0;
}

int default_route_set(const char *link, uint32_t gateway, struct report *report) {
    if (!gateway) return 0;
    uint32_t index = if_nametoindex(link);
    if (!index) return fail(report, errno, "find link", link);
    if (add_default_route(index, gateway, NLM_F_REPLACE) < 0) return fail(report, errno, "set default route by", link);
    return 0;
}
