/*
 * One launch, in the shim. Order: whatever can fail without a trace first; then the cgroup; then the child, which makes
 * its mounts while the links are made here; then wait until it has called execve. A failure undoes all of it.
 */
#define _GNU_SOURCE
#include "setup.h"
#include "host_mounts.h"
#include "namespaces.h"
#include "netlink.h"
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define SHAREABLE (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID)

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

bool has_user_namespace(const struct launch *launch) {
    return launch->namespaces & CLONE_NEWUSER || launch->user_namespace >= 0;
}

void give_pipes(const struct launch *launch, const int theirs[3]) {
    for (int i = 0; i < 3 && launch->has_id_maps; i++)
        if (theirs[i] > 0) (void)!fchown(theirs[i], launch->id_maps.root_uid, launch->id_maps.root_gid);
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

int make_pipes(bool with_stdin, int ours[3], int theirs[3]) {
    for (int i = 0; i < 3; i++) {
        int ends[2];
        ours[i] = theirs[i] = -1;
        if (i == 0 && !with_stdin) continue;
        if (pipe2(ends, O_CLOEXEC) < 0) return -1;
        ours[i] = i == 0 ? ends[1] : ends[0];
        theirs[i] = i == 0 ? ends[0] : ends[1];
        fcntl(ours[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

pid_t clone_into(int cgroup, uint64_t flags, int *pidfd) {
    struct clone_args arguments = {.flags = flags | CLONE_PIDFD | CLONE_INTO_CGROUP,
                                   .pidfd = (uint64_t)(uintptr_t)pidfd,
                                   .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* then it is the parent's */
                                   .cgroup = (uint64_t)cgroup};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/*
 * The new namespaces of a container in another's user namespace must belong to that, so who clones must be in it: a helper,
 * which then has the child as its sibling.
 */
static pid_t clone_beside(struct launch *launch) {
    int ends[2], ignored;
    pid_t child = -1;
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    pid_t helper = fork();
    if (helper == 0) {
        /* Still with our ids, to which the cgroup belongs; the child becomes the other root. */
        bool in = setns(launch->user_namespace, CLONE_NEWUSER) == 0 &&
                  (launch->pid_namespace < 0 || setns(launch->pid_namespace, CLONE_NEWPID) == 0);
        child = in ? clone_into(launch->cgroup.directory, launch->namespaces | CLONE_PARENT, &ignored) : -1;
        if (child == 0) return 0;
        if (child < 0) child = -errno;
        (void)!write(ends[1], &child, sizeof(child));
        _exit(0);
    }
    int error = helper < 0 ? errno : ESRCH;
    close(ends[1]);
    if (helper > 0 && read(ends[0], &child, sizeof(child)) != sizeof(child)) child = -error;
    close(ends[0]);
    while (helper > 0 && waitpid(helper, NULL, 0) < 0 && errno == EINTR) {
    }
    if (helper < 0) child = -error;
    if (child > 0) launch->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    if (child < 0) errno = -child;
    return child < 0 ? -1 : child;
}

static pid_t clone_child(struct launch *launch) {
    if (launch->user_namespace >= 0) return clone_beside(launch);
    /* Its children are born there, and so are the execs later. */
    if (launch->pid_namespace >= 0 && setns(launch->pid_namespace, CLONE_NEWPID) < 0) return -1;
    return clone_into(launch->cgroup.directory, launch->namespaces, &launch->pidfd);
}

static int start_child(struct launch *launch, const struct plan *plan, struct report *report) {
    static struct child child;
    int pair[2], ours[3] = {-1, -1, -1};
    child = (struct child){.restrictions = &launch->restrictions,
                           .operations = plan->container,
                           .count = plan->container_count,
                           .stdio = {-1, -1, -1},
                           .terminal = launch->shim.terminal,
                           .rows = launch->shim.rows,
                           .columns = launch->shim.columns,
                           .join_count = launch->join_count,
                           .host_namespaces = launch->host_namespaces,
                           .unmapped = (launch->namespaces & CLONE_NEWUSER) != 0,
                           .apparmor = -1,
                           .foreign = has_user_namespace(launch)};
    memcpy(child.joins, launch->joins, sizeof(child.joins));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail(report, errno, "create", "pair");
    if (!child.terminal && make_pipes(launch->shim.keep_stdin, ours, child.stdio) < 0)
        return fail(report, errno, "create", "pipes");
    child.sync = pair[1];
    give_pipes(launch, child.stdio);
    launch->pid = clone_child(launch);
    if (launch->pid == 0) {
        /* Ours must be gone in the child, or it would never see the shim's death as an end of file. */
        close(pair[0]);
        child_run(&child, -1);
    }
    int error = errno;
    close(pair[1]);
    for (int i = 0; i < 3; i++)
        if (child.stdio[i] >= 0) close(child.stdio[i]);
    launch->sync = pair[0];
    launch->standard_in = ours[0];
    launch->standard_out = ours[1];
    launch->standard_error = ours[2];
    return launch->pid < 0 ? fail(report, error, "clone", "first process") : 0;
}

void set_oom_score(const struct launch *launch, pid_t pid, int notify) {
    char path[64], value[16];
    if (!launch->set_oom_score) return;
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
    snprintf(value, sizeof(value), "%d", launch->oom_score);
    if (write_file_at(AT_FDCWD, path, value) == 0 || notify < 0) return;
    struct report warning;
    fail(&warning, errno, "set oom_score_adj to", value);
    warning.kind = REPORT_WARNING;
    send_report(notify, &warning, -1);
}

int make_links(struct launch *launch, struct report *report) {
    for (size_t i = 0; i < launch->link_count; i++)
        if (link_create(&launch->links[i], IFLA_NET_NS_PID, (uint32_t)launch->pid, report) < 0) return -1;
    if (launch->link_count && send(launch->sync, "", 1, MSG_NOSIGNAL) < 0)
        return fail(report, errno, "tell the child about", "links");
    return 0;
}

/* A child that has failed by itself takes its network namespace with it: what it said is the reason then, not the link's. */
static void prefer_word_of_child(const struct launch *launch, struct report *report) {
    struct report message;
    int fd;
    fcntl(launch->sync, F_SETFL, O_NONBLOCK);
    while (receive_report(launch->sync, &message, &fd) == 1) {
        if (fd >= 0) close(fd);
        if (message.kind == REPORT_FAILED) *report = message;
    }
}

/* Until the child's end closes by execve. A death before it said REPORT_EXEC is a failure too. */
static int await_exec(struct launch *launch, int notify, struct report *report) {
    bool reached = false;
    struct report message;
    int fd;
    while (receive_report(launch->sync, &message, &fd) == 1) {
        if (message.kind == REPORT_FAILED) {
            *report = message;
            return -1;
        }
        if (message.kind == REPORT_WARNING) send_report(notify, &message, -1);
        if (message.kind == REPORT_EXEC) reached = true;
        if (message.kind == REPORT_TERMINAL && launch->terminal < 0)
            launch->terminal = fd;
        else if (fd >= 0)
            close(fd);
    }
    close(launch->sync);
    launch->sync = -1;
    return reached ? 0 : fail(report, ECHILD, "set up (it died meanwhile)", "first process");
}

static int write_id_maps(const struct launch *launch, struct report *report) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d", launch->pid);
    int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (process < 0) return fail(report, errno, "open process", path);
    int result = write_file_at(process, "gid_map", launch->id_maps.gid_map) == 0 &&
                         write_file_at(process, "uid_map", launch->id_maps.uid_map) == 0
                     ? 0
                     : fail(report, errno, "write id maps of", "user namespace");
    close(process);
    if (result == 0 && send(launch->sync, "", 1, MSG_NOSIGNAL) < 0)
        result = fail(report, errno, "tell the child about", "id maps");
    return result;
}

/* What only the host's root may do for a child in a user namespace: its id maps, and mounts of what is the host's. */
static int serve_user_namespace(const struct launch *launch, const struct plan *plan, struct report *report) {
    char path[32];
    if (launch->namespaces & CLONE_NEWUSER && write_id_maps(launch, report) < 0) return -1;
    snprintf(path, sizeof(path), "/proc/%d/ns/user", launch->pid);
    int namespace = open_namespace(path, CLONE_NEWUSER, report);
    if (namespace < 0) return -1;
    int result = host_mounts_send(plan, namespace, &launch->id_maps, launch->sync, report);
    close(namespace);
    return result;
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
    if (start_child(launch, plan, report) < 0) return -1;
    set_oom_score(launch, launch->pid, notify);
    if (has_user_namespace(launch) && serve_user_namespace(launch, plan, report) < 0)
        return prefer_word_of_child(launch, report), -1;
    if (make_links(launch, report) < 0) return prefer_word_of_child(launch, report), -1;
    if (await_exec(launch, notify, report) < 0) return -1;
    if (launch->terminal >= 0) fcntl(launch->terminal, F_SETFL, O_NONBLOCK);
    return 0;
}

void launch_undo(struct launch *launch) {
    struct report ignored;
    if (launch->pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, launch->pidfd, SIGKILL, NULL, 0);
        while (waitpid(launch->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (launch->runtime.binary) runtime_delete(launch);
    for (size_t i = 0; i < launch->link_count; i++) link_remove(launch->links[i].host_name, &ignored);
    if (launch->cgroup.directory >= 0) cgroup_remove(&launch->cgroup, &ignored);
    if (launch->state < 0) return;
    unlinkat(launch->state, SOCKET_NAME, 0);
    unlinkat(launch->state, EXIT_NEW, 0);
}
