/*
 * One launch, in the shim. Order: whatever can fail without a trace first; then the cgroup; then the first process. A
 * failure undoes all of it.
 */
#define _GNU_SOURCE
#include "launch.h"
#include "first_process.h"
#include "namespaces.h"
#include "netlink.h"
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Kinds of namespaces that a container may share with the host or with another container. */
#define SHAREABLE (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID)

static int load_filter(struct restrictions *restrictions, const char *path, struct report *report) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return fail(report, errno, "open seccomp program", path);
    struct stat status;
    ssize_t size = -1;
    if (fstat(fd, &status) == 0 && status.st_size > 0 && (size_t)status.st_size <= sizeof(restrictions->filter) &&
        (size_t)status.st_size % sizeof(struct sock_filter) == 0)
        size = pread(fd, restrictions->filter, (size_t)status.st_size, 0);
    close(fd);
    if (size < 0 || size != status.st_size) return fail(report, EINVAL, "read seccomp program", path);
    restrictions->filter_length = (unsigned short)((size_t)size / sizeof(struct sock_filter));
    return 0;
}

static int add_join(struct launch *launch, const struct join_operation *join, struct report *report) {
    int fd = open_namespace(join->path, join->kind, report);
    if (fd < 0) return -1;
    if (is_own_namespace(fd, join->kind)) {
        close(fd); /* what is not new is ours anyway */
        return 0;
    }
    launch->host_namespaces &= ~join->kind;
    if (join->kind == CLONE_NEWPID) return launch->pid_namespace = fd, 0;
    if (join->kind == CLONE_NEWUSER) return launch->user_namespace = fd, 0;
    if (launch->join_count == MAX_JOINS) return close(fd), fail(report, E2BIG, "join namespace", join->path);
    launch->joins[launch->join_count++] = (struct join){.fd = fd, .kind = join->kind};
    return 0;
}

static int perform_host(struct launch *launch, const struct operation *o, struct report *report) {
    switch (o->kind) {
    case OP_SHIM: launch->shim = o->shim; return 0;
    case OP_CGROUP:
        return cgroup_create(o->cgroup.root, o->cgroup.path, o->cgroup.controllers, &launch->cgroup, report);
    case OP_CGROUP_FILE:
        if (write_file_at(launch->cgroup.directory, o->pair.name, o->pair.value) == 0) return 0;
        return fail(report, errno, "write cgroup file", o->pair.name);
    case OP_DEVICE_PROGRAM: return cgroup_control_devices(&launch->cgroup, &o->device_program, report);
    case OP_NAMESPACES:
        launch->namespaces = o->number;
        launch->host_namespaces = SHAREABLE & ~o->number;
        return 0;
    case OP_JOIN: return add_join(launch, &o->join, report);
    case OP_ID_MAPS:
        launch->id_maps = o->id_maps;
        launch->has_id_maps = true;
        return 0;
    case OP_APPARMOR: launch->restrictions.apparmor = o->path.path; return 0;
    case OP_RUNTIME: launch->runtime = o->runtime; return 0;
    case OP_LINK:
        if (launch->link_count == MAX_LINKS) return fail(report, E2BIG, "create link", o->link.host_name);
        launch->links[launch->link_count++] = o->link;
        return 0;
    case OP_OOM_SCORE:
        launch->oom_score = (int32_t)o->number;
        launch->set_oom_score = true;
        return 0;
    case OP_SECCOMP:
        launch->restrictions.filter_flags = o->path.flag;
        return load_filter(&launch->restrictions, o->path.path, report);
    case OP_SECURITY: launch->restrictions.security = o->security; return 0;
    case OP_RLIMIT:
        if (launch->restrictions.rlimit_count == MAX_RLIMITS) return fail(report, E2BIG, "set", "resource limits");
        launch->restrictions.rlimits[launch->restrictions.rlimit_count++] = o->rlimit;
        return 0;
    default: return fail(report, EINVAL, "perform", "operation out of place");
    }
}

/*
 * Binds by a name relative to the state directory: a socket's path is limited to 107 bytes, a state directory's is not.
 * The shim's own working directory is not needed for anything else.
 */
static int open_socket(struct launch *launch, struct report *report) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_NAME};
    launch->state = open(launch->shim.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (launch->state < 0) return fail(report, errno, "open state directory", launch->shim.state_directory);
    unlinkat(launch->state, SOCKET_NAME, 0);
    unlinkat(launch->state, EXIT_NAME, 0);
    launch->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (launch->listener < 0) return fail(report, errno, "create", "shim socket");
    umask(0077);
    if (fchdir(launch->state) < 0 || bind(launch->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(launch->listener, 64) < 0)
        return fail(report, errno, "bind shim socket in", launch->shim.state_directory);
    return chdir("/") < 0 ? fail(report, errno, "enter", "/") : 0;
}

/* Takes the place on the disk that the exit report will need: a disk that is full by then must not cost the exit code. */
static int reserve_exit(const struct launch *launch, struct report *report) {
    static const char blank[128] = "";
    int fd = openat(launch->state, EXIT_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t written = fd < 0 ? -1 : write(fd, blank, sizeof(blank));
    int error = written < 0 ? errno : ENOSPC;
    if (fd >= 0) close(fd);
    return written == sizeof(blank) ? 0 : fail(report, error, "reserve exit report in", launch->shim.state_directory);
}

int launch_start(struct launch *launch, const struct plan *plan, int notify, struct report *report) {
    struct reader host = plan->host;
    struct operation operation;
    launch->state = launch->listener = launch->pidfd = launch->sync = launch->terminal = -1;
    launch->standard_in = launch->standard_out = launch->standard_error = -1;
    launch->cgroup.directory = launch->pid_namespace = launch->user_namespace = -1;
    launch->bundle = launch->rootfs = -1;
    for (uint32_t i = 0; i < plan->host_count; i++) {
        if (!decode_operation(&host, &operation)) return fail(report, EINVAL, "decode", "plan");
        if (perform_host(launch, &operation, report) < 0) return -1;
        if (operation.kind == OP_SHIM && (open_socket(launch, report) < 0 || reserve_exit(launch, report) < 0)) return -1;
    }
    if (launch->state < 0 || launch->cgroup.directory < 0) return fail(report, EINVAL, "perform", "incomplete plan");
    if (launch->runtime.binary) return runtime_start(launch, plan, notify, report);
    return first_process_start(launch, plan, notify, report);
}

void launch_undo(struct launch *launch) {
    struct report ignored;
    if (launch->pidfd >= 0) end_child(launch->pid);
    if (launch->runtime.binary) runtime_delete(launch);
    for (size_t i = 0; i < launch->link_count; i++) link_remove(launch->links[i].host_name, &ignored);
    if (launch->cgroup.directory >= 0) cgroup_remove(&launch->cgroup, &ignored);
    if (launch->state < 0) return;
    unlinkat(launch->state, SOCKET_NAME, 0);
    unlinkat(launch->state, EXIT_NEW, 0);
}
