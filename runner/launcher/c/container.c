/*
 * The child's way into the container. The order of the operations is the plan's; what must never be out of order
 * (standard streams, privileges, execve) is one operation here.
 */
#define _GNU_SOURCE
#include "container.h"
#include "mounts.h"
#include "namespaces.h"
#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct progress {
    struct child *child;
    int root;
    int slave; /* the process's end of the pty */
    struct identity identity;
    int apparmor; /* where to write the profile for execve, or -1 */
};

static char *arguments[MAX_STRINGS + 1];
static char *environment[MAX_STRINGS + 2];

static int limit_resource(const struct progress *progress, const struct rlimit_operation *limit) {
    struct rlimit wanted = {.rlim_cur = limit->soft, .rlim_max = limit->hard}, now;
    if (setrlimit((int)limit->resource, &wanted) == 0) return 0;
    if (errno != EPERM || getrlimit((int)limit->resource, &now) < 0) return -1;
    /* Without CAP_SYS_RESOURCE the hard limit cannot rise: as near as it goes, and the caller is told. */
    struct report warning;
    fail(&warning, EPERM, "raise resource limit", "hard limit kept");
    warning.kind = REPORT_WARNING;
    warning.value = limit->resource;
    send_report(progress->child->sync, &warning, -1);
    if (wanted.rlim_max > now.rlim_max) wanted.rlim_max = now.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max) wanted.rlim_cur = wanted.rlim_max;
    return setrlimit((int)limit->resource, &wanted);
}

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

static int wire_streams(struct progress *progress, struct report *report) {
    int *stdio = progress->child->stdio;
    if (setsid() < 0 && errno != EPERM) return fail(report, errno, "start", "session");
    if (progress->child->terminal) {
        for (int i = 0; i < 3; i++) stdio[i] = progress->slave;
    } else if (stdio[0] < 0) {
        /* Without waiting: the container may have put a pipe there, which nobody ever opens for writing. */
        stdio[0] = open_beneath(progress->root, "dev/null", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (stdio[0] < 0) return fail(report, errno, "open standard input", "/dev/null");
        if (!is_null_device(stdio[0])) return fail(report, EPERM, "open standard input", "/dev/null");
        fcntl(stdio[0], F_SETFL, 0);
    }
    /* One that is already below 3 would be overwritten, or keep its close-on-exec: dup2 of a descriptor on itself does nothing. */
    for (int i = 0; i < 3; i++)
        if (stdio[i] < 3 && (stdio[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return fail(report, errno, "move", "standard streams");
    for (int i = 0; i < 3; i++) {
        /* So that a user other than root can open /dev/stdout again; never the shared null device. */
        if (!is_null_device(stdio[i])) (void)!fchown(stdio[i], progress->identity.uid, (gid_t)-1);
        if (dup2(stdio[i], i) < 0) return fail(report, errno, "set up", "standard streams");
    }
    if (progress->child->terminal && ioctl(0, TIOCSCTTY, 0) < 0) return fail(report, errno, "control", "terminal");
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) return fail(report, errno, "close", "file descriptors");
    return 0;
}

static const char *variable(const char *name) {
    size_t length = strlen(name);
    for (char **at = environment; *at; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=') return *at + length + 1;
    return NULL;
}

static void fill_vectors(const struct exec_operation *exec, const struct identity *identity) {
    static char home[sizeof("HOME=") + sizeof(identity->home)];
    struct reader from = exec->arguments.reader;
    for (uint32_t i = 0; i < exec->arguments.count; i++) arguments[i] = (char *)(uintptr_t)next_string(&from);
    from = exec->environment.reader;
    for (uint32_t i = 0; i < exec->environment.count; i++) environment[i] = (char *)(uintptr_t)next_string(&from);
    if (variable("HOME")) return;
    snprintf(home, sizeof(home), "HOME=%s", identity->home);
    environment[exec->environment.count] = home;
}

/* Like execvpe, but with the container's PATH, and telling "not there" from "not executable". */
static int find_and_exec(const char **object) {
    char path[4096];
    *object = arguments[0];
    if (strchr(arguments[0], '/')) {
        execve(arguments[0], arguments, environment);
        return errno;
    }
    const char *search = variable("PATH");
    int result = ENOENT;
    for (const char *at = search ? search : DEFAULT_PATH; *at && *arguments[0];) {
        size_t length = strcspn(at, ":");
        int size = snprintf(path, sizeof(path), "%.*s/%s", (int)length, at, arguments[0]);
        if (length > 0 && size > 0 && (size_t)size < sizeof(path)) {
            execve(path, arguments, environment);
            if (errno != ENOENT && errno != ENOTDIR) result = errno;
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
        }
        at += length;
        at += *at == ':';
    }
    return result;
}

/* Takes effect at execve. */
static int change_profile(const struct progress *progress, struct report *report) {
    char text[300];
    const char *profile = progress->child->restrictions->apparmor;
    int length = snprintf(text, sizeof(text), "exec %s", profile);
    if (length < 0 || (size_t)length >= sizeof(text)) return fail(report, ENAMETOOLONG, "apply AppArmor profile", profile);
    if (write(progress->apparmor, text, (size_t)length) != length)
        return fail(report, errno, "apply AppArmor profile", profile);
    return 0;
}

static int execute(struct progress *progress, const struct exec_operation *exec, struct report *report) {
    const struct restrictions *restrictions = progress->child->restrictions;
    struct sock_fprog filter = {.len = restrictions->filter_length,
                                .filter = (struct sock_filter *)(uintptr_t)restrictions->filter};
    struct report about = {.kind = REPORT_EXEC};
    const char *object;
    fill_vectors(exec, &progress->identity);
    if (wire_streams(progress, report) < 0) return -1;
    /* After the last descriptor was opened: the container's limit of those may be lower than what is open here. */
    for (size_t i = 0; i < restrictions->rlimit_count; i++)
        if (limit_resource(progress, &restrictions->rlimits[i]) < 0)
            return fail(report, errno, "set", "resource limit");
    umask(exec->umask);
    send_report(progress->child->sync, &about, -1);
    if (progress->apparmor >= 0 && change_profile(progress, report) < 0) return -1;
    if (identity_assume(&progress->identity, &restrictions->security, &filter, restrictions->filter_flags,
                        report) < 0) return -1;
    /* A change of user resets it. Without its shim a container has no log and no end: it must not go on. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    int error = find_and_exec(&object);
    bool missing = error == ENOENT || error == ENOTDIR;
    return fail_as(report, missing ? CATEGORY_NOT_FOUND : CATEGORY_NOT_EXECUTABLE, error, "execute", object);
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
