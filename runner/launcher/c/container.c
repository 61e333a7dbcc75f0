/* The child's way into the container. The order of the operations is the plan's. */
#define _GNU_SOURCE
#include "container.h"
#include "devices.h"
#include "execute.h"
#include "kernel_files.h"
#include "mounts.h"
#include "namespaces.h"
#include "netlink.h"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_terminal(struct progress *progress, bool console, struct report *report) {
    int master = open_pty(progress->root, &progress->slave, report);
    if (master < 0) return -1;
    struct winsize size = {.ws_row = (unsigned short)progress->child->rows,
                           .ws_col = (unsigned short)progress->child->columns};
    if (size.ws_row && size.ws_col) ioctl(master, TIOCSWINSZ, &size);
    struct report message = {.kind = REPORT_TERMINAL};
    send_report(progress->child->sync, &message, master);
    close(master);
    return console ? mount_console(progress->root, progress->slave, report) : 0;
}

/* By fd from beneath the root, so it is inside; and the kernel must agree that it can be reached from the root. */
static int enter_directory(int root, const char *path, bool create, struct report *report) {
    char name[4096];
    int fd = create ? open_or_make_directory(root, path) : open_beneath(root, path, O_PATH | O_DIRECTORY, 0);
    if (fd < 0) return fail(report, errno, "open working directory", path);
    if (fchdir(fd) < 0) return fail(report, errno, "enter working directory", path);
    close(fd);
    if (syscall(SYS_getcwd, name, sizeof(name)) < 0 || name[0] != '/')
        return fail(report, EPERM, "verify that it is inside the container: working directory", path);
    return 0;
}

/* Waits for the byte that the shim sends when it has made something for us. */
static int await_byte(int sync, const char *what, struct report *report) {
    char byte;
    ssize_t got;
    do {
        got = recv(sync, &byte, 1, 0);
    } while (got < 0 && errno == EINTR);
    return got == 1 ? 0 : fail(report, EPIPE, "wait for", what);
}

static int await_links(int sync, struct report *report) {
    static bool done;
    if (done) return 0;
    done = true;
    return await_byte(sync, "network links", report);
}

/* The mount that the shim made for the operation at hand; -1 without a report when we make it ourselves. */
static int await_mount(const struct progress *progress, int *tree, const char *what, struct report *report) {
    struct report message;
    *tree = -1;
    if (!progress->child->foreign) return 0;
    if (receive_report(progress->child->sync, &message, tree) == 1 && message.kind == REPORT_MOUNT && *tree >= 0) return 0;
    return fail(report, EPIPE, "wait for mount of", what);
}

static int open_root(struct progress *progress, const struct operation *o, struct report *report) {
    if (await_mount(progress, &progress->root, "root", report) < 0) return -1;
    if (progress->root >= 0) {
        /* Any place will do that we can reach: pivot_root only wants it mounted. */
        if (move_mount(progress->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0) return 0;
        return fail(report, errno, "mount root on", "/");
    }
    progress->root = o->kind == OP_OVERLAY
                         ? mount_overlay(&o->overlay, report)
                         : mount_directory(o->directory_root.source, o->directory_root.mount_point, report);
    return progress->root < 0 ? -1 : 0;
}

/* A setting of a namespace that is the host's would be one of the host. */
static int set_sysctl(const struct progress *progress, const struct sysctl_operation *sysctl, struct report *report) {
    if (!sysctl->namespace || sysctl->namespace & progress->child->host_namespaces)
        return fail(report, EPERM, "write sysctl of the host", sysctl->name);
    return write_sysctl(sysctl->name, sysctl->value, report);
}

static int perform_mount(struct progress *progress, const struct operation *o, struct report *report) {
    int tree;
    switch (o->kind) {
    case OP_OVERLAY:
    case OP_DIRECTORY_ROOT: return open_root(progress, o, report);
    case OP_FILESYSTEM: return mount_filesystem(progress->root, &o->filesystem, report);
    case OP_BIND:
        if (await_mount(progress, &tree, o->bind.source, report) < 0) return -1;
        return mount_bind(progress->root, tree, &o->bind, report);
    case OP_DEVICE:
        if (S_ISFIFO(o->device.mode)) return make_device(progress->root, -1, &o->device, report);
        if (await_mount(progress, &tree, o->device.source, report) < 0) return -1;
        int made = make_device(progress->root, tree, &o->device, report);
        if (tree >= 0) close(tree);
        return made;
    case OP_SYMLINK: return make_symlink(progress->root, o->pair.name, o->pair.value, report);
    case OP_MASK: return mask_path(progress->root, o->path.path, report);
    case OP_READONLY_PATH: return make_path_readonly(progress->root, o->path.path, report);
    case OP_PIVOT: return pivot(progress->root, &o->pivot, report);
    default: return fail(report, EINVAL, "perform", "operation out of place");
    }
}

static int perform(struct progress *progress, const struct operation *o, struct report *report) {
    switch (o->kind) {
    case OP_CGROUP_NAMESPACE:
        /* Only now: with CLONE_NEWCGROUP the root would be the shim's cgroup, not the one that clone put us into. */
        return unshare(CLONE_NEWCGROUP) < 0 ? fail(report, errno, "unshare", "cgroup namespace") : 0;
    case OP_CONSOLE: return open_terminal(progress, o->number, report);
    case OP_SYSCTL: return set_sysctl(progress, &o->sysctl, report);
    case OP_LOOPBACK: return loopback_up(report);
    case OP_ADDRESS:
        if (await_links(progress->child->sync, report) < 0) return -1;
        return address_set(&o->address, report);
    case OP_HOSTNAME:
        return sethostname(o->path.path, strlen(o->path.path)) < 0 ? fail(report, errno, "set hostname", o->path.path)
                                                                    : 0;
    case OP_DOMAINNAME:
        return setdomainname(o->path.path, strlen(o->path.path)) < 0
                   ? fail(report, errno, "set domain name", o->path.path)
                   : 0;
    case OP_USER: return identity_find(progress->root, &o->user, &progress->identity, report);
    case OP_CWD: return enter_directory(progress->root, o->path.path, o->path.flag, report);
    case OP_EXEC: return execute(progress, &o->exec, report);
    default: return perform_mount(progress, o, report);
    }
}

static void reset_signals(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < 65; number++) sigaction(number, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Before anything of the container can be in the way: this /proc is the host's. Not there, or without the directory: the
 * kernel has no AppArmor, or it is off.
 */
static int open_profile(const struct child *child, struct report *report) {
    const char *profile = child->restrictions->apparmor;
    if (!profile) return -1;
    int fd = open("/proc/thread-self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail_as(report, CATEGORY_UNSUPPORTED, errno, "apply AppArmor profile", profile);
    return fd;
}

/* Root of the user namespace that we are in, which the kernel has left us without an id of. */
static int become_root(struct report *report) {
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) return fail(report, errno, "become root of", "user namespace");
    if (setgroups(0, NULL) < 0) return fail(report, errno, "leave groups outside of", "user namespace");
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* the change of ids has reset it */
    return 0;
}

static int enter_namespaces(const struct child *child, struct report *report) {
    if (child->unmapped && await_byte(child->sync, "id maps", report) < 0) return -1;
    if (child->foreign && become_root(report) < 0) return -1;
    for (size_t i = 0; i < child->join_count; i++)
        if (setns(child->joins[i].fd, (int)child->joins[i].kind) < 0)
            return fail(report, errno, "join", namespace_name(child->joins[i].kind));
    return 0;
}

_Noreturn void child_run(struct child *child, int root) {
    static struct progress progress;
    struct report report;
    struct operation operation;
    progress.child = child;
    progress.root = root;
    progress.slave = -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    reset_signals();
    umask(0);
    /* An exec has done both already, in the namespaces that it came from. */
    bool ready = root >= 0;
    if (!ready) {
        child->apparmor = open_profile(child, &report);
        ready = (child->apparmor >= 0 || !child->restrictions->apparmor) && enter_namespaces(child, &report) == 0;
    }
    progress.apparmor = child->apparmor;
    if (ready) fail(&report, EINVAL, "perform", "plan without an exec");
    for (uint32_t i = 0; ready && i < child->count; i++) {
        if (!decode_operation(&child->operations, &operation)) {
            fail(&report, EINVAL, "decode", "operation");
            break;
        }
        if (perform(&progress, &operation, &report) < 0) break;
    }
    send_report(child->sync, &report, -1);
    _exit(1);
}

_Noreturn void child_join(struct child *child, int pidfd, int flags) {
    struct report report;
    int root = -1;
    child->apparmor = open_profile(child, &report);
    if (child->apparmor < 0 && child->restrictions->apparmor) {
        send_report(child->sync, &report, -1);
        _exit(1);
    }
    /* All at once, so that no moment has one of the container's namespaces and one of the host's. */
    if (setns(pidfd, flags) < 0)
        fail(&report, errno, "join", "namespaces of the container");
    else if (flags & CLONE_NEWUSER && become_root(&report) < 0)
        root = -1;
    else if ((root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        fail(&report, errno, "open", "root of the container");
    if (root >= 0) child_run(child, root);
    send_report(child->sync, &report, -1);
    _exit(1);
}
