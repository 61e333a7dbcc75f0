/*
 * Mounts for a container with a user namespace. Its layers keep their owners on disk; idmapped mounts of them make those
 * the container's ids, and overlayfs upon such mounts belongs to the host, so that it can use its trusted attributes. The
 * kernel wants what overlayfs is given to be attached, not detached: in a mount namespace that nobody else has.
 */
#define _GNU_SOURCE
#include "host_mounts.h"
#include "detached.h"
#include "devices.h"
#include "mounts.h"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_root(const struct operation *o, int user_namespace, const struct id_maps_operation *maps,
                     struct report *report) {
    if (o->kind == OP_OVERLAY) return mount_mapped_overlay(&o->overlay, user_namespace, maps, report);
    const char *source = o->directory_root.source;
    int tree = open_directory_root(source, report);
    if (tree < 0) return -1;
    if (map_owners(tree, user_namespace, source, report) == 0) return tree;
    close(tree);
    return -1;
}

static int send_mount(int socket, int tree, struct report *report) {
    static const struct report message = {.kind = REPORT_MOUNT};
    bool sent = send_report(socket, &message, tree);
    int error = errno;
    close(tree);
    return sent ? 0 : fail(report, error, "send mounts to", "first process");
}

int host_mounts_send(const struct plan *plan, int user_namespace, const struct id_maps_operation *maps, int socket,
                     struct report *report) {
    struct reader reader = plan->container;
    struct operation operation;
    if (unshare(CLONE_NEWNS) < 0) return fail(report, errno, "unshare", "mount namespace of the shim");
    for (uint32_t i = 0; i < plan->container_count; i++) {
        if (!decode_operation(&reader, &operation)) return fail(report, EINVAL, "decode", "operation");
        int tree;
        switch (operation.kind) {
        case OP_OVERLAY:
        case OP_DIRECTORY_ROOT: tree = open_root(&operation, user_namespace, maps, report); break;
        case OP_BIND: tree = open_bind(&operation.bind, user_namespace, report); break;
        case OP_DEVICE:
            if (S_ISFIFO(operation.device.mode)) continue;
            tree = open_device(&operation.device, report);
            break;
        default: continue;
        }
        if (tree < 0 || send_mount(socket, tree, report) < 0) return -1;
    }
    return 0;
}
