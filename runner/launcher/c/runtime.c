/*
 * One launch by an OCI runtime, in the shim. The shim gets a mount namespace of its own, with the host's mounts and three
 * that nobody else sees: the container's root and network namespace in the bundle, and over /sys/fs/cgroup the v2 hierarchy
 * where the host has that elsewhere, since the runtimes look for it there and would use the v1 hierarchies of a hybrid host.
 * Being a child subreaper, the shim is the parent of the processes that the runtime leaves, and so learns how they end.
 */
#define _GNU_SOURCE
#include "runtime.h"
#include "mounts.h"
#include "namespaces.h"
#include "netlink.h"
#include "root.h"
#include "runtime_json.h"
#include "runtime_program.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUP_PLACE "/sys/fs/cgroup"
/* Create, start and delete together take less than the runner waits for a launch, so that it is told the reason. */
#define OPERATION_MS 20000
#define DELETE_MS 10000

/* What a plan of this kind has for the container. */
struct first {
    struct identity identity;
    struct runtime_process process;
    bool own_network;
};

static int enter_mount_namespace(const char *cgroup_root, struct report *report) {
    if (setns(HOST_NAMESPACE_FD, CLONE_NEWNS) < 0) return fail(report, errno, "join", "mount namespace of the runner");
    if (unshare(CLONE_NEWNS) < 0) return fail(report, errno, "unshare", "mount namespace of the shim");
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return fail(report, errno, "separate mounts from", "the host");
    if (strcmp(cgroup_root, CGROUP_PLACE) == 0) return 0;
    if (mount("cgroup2", CGROUP_PLACE, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return fail(report, errno, "mount cgroup v2 hierarchy on", CGROUP_PLACE);
    return 0;
}

static int open_bundle(struct launch *launch, struct report *report) {
    if (mkdirat(launch->state, "bundle", 0700) < 0 && errno != EEXIST) return fail(report, errno, "make", "bundle");
    /* By path, so that what is mounted in it later is reached through it: the state's descriptor is of other mounts. */
    launch->bundle = open(launch->runtime.bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (launch->bundle < 0) return fail(report, errno, "open bundle", launch->runtime.bundle);
    if (mkdirat(launch->bundle, "rootfs", 0700) < 0 && errno != EEXIST) return fail(report, errno, "make", "rootfs");
    return 0;
}

static int open_root(struct launch *launch, const struct operation *o, struct report *report) {
    int root = o->kind == OP_OVERLAY
                   ? mount_overlay(&o->overlay, report)
                   : mount_directory(o->directory_root.source, o->directory_root.mount_point, report);
    if (root < 0) return -1;
    close(root);
    if (chdir("/") < 0) return fail(report, errno, "enter", "/");
    /* Again by path: a detached tree is not what the runtime will see. */
    launch->rootfs = openat(launch->bundle, "rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return launch->rootfs < 0 ? fail(report, errno, "open", "rootfs") : 0;
}

/* Not every runtime makes it when it is missing. */
static int make_working_directory(const struct launch *launch, const char *path, struct report *report) {
    int fd = open_or_make_directory(launch->rootfs, path);
    if (fd < 0) return fail(report, errno, "make working directory", path);
    close(fd);
    return 0;
}

static int perform(struct launch *launch, const struct operation *o, struct first *first, struct report *report) {
    switch (o->kind) {
    case OP_OVERLAY:
    case OP_DIRECTORY_ROOT: return open_root(launch, o, report);
    case OP_BIND: return mount_bind(launch->bundle, -1, &o->bind, report); /* where the runtime finds it */
    case OP_LOOPBACK: first->own_network = true; return 0;
    case OP_ADDRESS: return 0; /* by the network's helper */
    case OP_USER: return identity_find(launch->rootfs, &o->user, &first->identity, report);
    case OP_CWD:
        first->process.cwd = o->path.path;
        return make_working_directory(launch, o->path.path, report);
    case OP_EXEC: first->process.exec = o->exec; return 0;
    default: return fail(report, EINVAL, "perform", "operation out of place");
    }
}

static int set_up_network(const struct launch *launch, struct reader operations, uint32_t count, int sync,
                          struct report *report) {
    char path[4096], byte;
    struct operation o;
    bool told = false;
    int length = snprintf(path, sizeof(path), "%s/net", launch->runtime.bundle);
    if (length < 0 || (size_t)length >= sizeof(path)) return fail(report, ENAMETOOLONG, "make", "net");
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_operation(&operations, &o)) return fail(report, EINVAL, "decode", "operation");
        if (o.kind == OP_LOOPBACK && loopback_up(report) < 0) return -1;
        if (o.kind != OP_ADDRESS) continue;
        if (!told && recv(sync, &byte, 1, 0) != 1) return fail(report, EPIPE, "wait for", "network links");
        told = true;
        if (address_set(&o.address, report) < 0) return -1;
    }
    int file = openat(launch->bundle, "net", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return fail(report, errno, "make", path);
    close(file);
    return mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0 ? fail(report, errno, "keep network namespace in", path)
                                                                      : 0;
}

static _Noreturn void network_helper(const struct launch *launch, const struct plan *plan, int sync) {
    struct report report = {.kind = REPORT_DONE};
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (unshare(CLONE_NEWNET) < 0) fail(&report, errno, "unshare", "network namespace");
    send_report(sync, &report, -1);
    if (report.kind == REPORT_FAILED) _exit(1);
    set_up_network(launch, plan->container, plan->container_count, sync, &report);
    send_report(sync, &report, -1);
    _exit(0);
}

static int await_helper(int sync, struct report *report) {
    struct report message;
    int fd;
    if (receive_report(sync, &message, &fd) != 1) return fail(report, ECHILD, "set up", "network namespace");
    if (message.kind != REPORT_FAILED) return 0;
    *report = message;
    return -1;
}

/* A network namespace with its links before the runtime begins: some copy what they find there. */
static int make_network(struct launch *launch, const struct plan *plan, struct report *report) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail(report, errno, "create", "pair");
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        network_helper(launch, plan, pair[1]);
    }
    int error = errno;
    close(pair[1]);
    if (pid < 0) return close(pair[0]), fail(report, error, "fork", "network helper");
    launch->pid = pid;
    launch->sync = pair[0];
    int result = await_helper(pair[0], report);
    if (result == 0) result = make_links(launch, report);
    if (result == 0) result = await_helper(pair[0], report);
    launch->pid = 0;
    launch->sync = -1;
    close(pair[0]);
    end_child(pid);
    return result;
}

static int create(struct launch *launch, struct report *report) {
    const char *arguments[] = {"create", "--bundle", launch->runtime.bundle, "--pid-file", "pid", NULL, NULL, NULL, NULL};
    int ours[3] = {-1, -1, -1}, stdio[3] = {-1, -1, -1}, listener = -1;
    size_t count = 5;
    pid_t pid;
    if (launch->shim.terminal) {
        listener = runtime_listen(launch, "console.sock", report);
        if (listener < 0) return -1;
        arguments[count++] = "--console-socket";
        arguments[count++] = "console.sock";
    } else if (make_pipes(launch->shim.keep_stdin, ours, stdio) < 0) {
        return fail(report, errno, "create", "pipes");
    }
    arguments[count] = launch->runtime.id;
    int program = runtime_run(launch, "create.log", arguments, stdio, &pid, report);
    for (int i = 0; i < 3; i++)
        if (stdio[i] >= 0) close(stdio[i]);
    launch->standard_in = ours[0];
    launch->standard_out = ours[1];
    launch->standard_error = ours[2];
    int result = program < 0 ? -1 : 0;
    if (result == 0 && !runtime_succeeded(program, OPERATION_MS))
        result = runtime_failure(launch, "create.log", "create container", report);
    if (result == 0 && (launch->pidfd = runtime_child(launch, "pid", &launch->pid, report)) < 0) result = -1;
    if (result == 0 && listener >= 0) {
        launch->terminal = runtime_terminal(listener, launch->shim.rows, launch->shim.columns, report);
        if (launch->terminal < 0) result = -1;
    }
    if (listener >= 0) close(listener);
    return result;
}

static int start(const struct launch *launch, struct report *report) {
    const char *const arguments[] = {"start", launch->runtime.id, NULL};
    static const int nothing[3] = {-1, -1, -1};
    pid_t pid;
    int program = runtime_run(launch, "start.log", arguments, nothing, &pid, report);
    if (program < 0) return -1;
    return runtime_succeeded(program, OPERATION_MS) ? 0 : runtime_failure(launch, "start.log", "start container", report);
}

void runtime_delete(const struct launch *launch) {
    const char *const arguments[] = {"delete", "--force", launch->runtime.id, NULL};
    static const int nothing[3] = {-1, -1, -1};
    struct report ignored;
    pid_t pid;
    if (launch->bundle < 0) return;
    int program = runtime_run(launch, "delete.log", arguments, nothing, &pid, &ignored);
    if (program >= 0) runtime_succeeded(program, DELETE_MS);
}

int runtime_start(struct launch *launch, const struct plan *plan, int notify, struct report *report) {
    static struct first first;
    struct reader operations = plan->container;
    struct operation operation;
    sigset_t children;
    first.process = (struct runtime_process){.terminal = launch->shim.terminal, .identity = &first.identity,
                                             .rest = launch->runtime.process};
    /* Before anything is started: the loop takes note of their ends by a descriptor. */
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return fail(report, errno, "become", "subreaper");
    if (enter_mount_namespace(launch->runtime.cgroup_root, report) < 0 || open_bundle(launch, report) < 0) return -1;
    for (uint32_t i = 0; i < plan->container_count; i++) {
        if (!decode_operation(&operations, &operation)) return fail(report, EINVAL, "decode", "plan");
        if (perform(launch, &operation, &first, report) < 0) return -1;
    }
    if (!first.process.cwd || first.process.exec.arguments.count == 0) return fail(report, EINVAL, "perform", "incomplete plan");
    if (first.own_network && make_network(launch, plan, report) < 0) return -1;
    if (runtime_json_write(launch->bundle, "config.json", &launch->runtime.config, &first.process, report) < 0) return -1;
    if (create(launch, report) < 0) return -1;
    set_oom_score(launch, launch->pid, notify);
    return start(launch, report);
}
