/* Opens namespaces, each verified to be what it is meant to be. */
#define _GNU_SOURCE
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int open_namespace(const char *path, uint32_t kind, struct report *report) {
    /* Without waiting, and without becoming its terminal: the path may be anything. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct statfs status;
    if (fd < 0) return fail(report, errno, "open namespace", path);
    if (fstatfs(fd, &status) == 0 && status.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == (int)kind) return fd;
    close(fd);
    return fail(report, EINVAL, "verify the type of namespace", path);
}

static const struct {
    uint32_t kind;
    const char *name, *own;
} known[] = {{CLONE_NEWNET, "network namespace", "/proc/self/ns/net"},
             {CLONE_NEWIPC, "ipc namespace", "/proc/self/ns/ipc"},
             {CLONE_NEWUTS, "uts namespace", "/proc/self/ns/uts"},
             {CLONE_NEWPID, "pid namespace", "/proc/self/ns/pid"},
             {CLONE_NEWCGROUP, "cgroup namespace", "/proc/self/ns/cgroup"},
             {CLONE_NEWUSER, "user namespace", "/proc/self/ns/user"}};

const char *namespace_name(uint32_t kind) {
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i].kind == kind) return known[i].name;
    return "unknown namespace";
}

/* Two descriptors are of one namespace when they are of one inode. */
bool is_own_namespace(int fd, uint32_t kind) {
    struct stat theirs, ours;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i].kind == kind)
            return fstat(fd, &theirs) == 0 && stat(known[i].own, &ours) == 0 && theirs.st_ino == ours.st_ino &&
                   theirs.st_dev == ours.st_dev;
    return false;
}

int open_network_namespace(uint32_t pid, struct report *report) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
    int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (pidfd < 0) return fail(report, errno == EINVAL ? ESRCH : errno, "find process", path);
    int fd = open_namespace(path, CLONE_NEWNET, report);
    /* Alive now, so the number was not given to another process before the file was opened. */
    bool alive = syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0;
    close(pidfd);
    if (fd < 0 && report->error == ENOENT) report->error = ESRCH; /* ended, and not collected yet */
    if (alive || fd < 0) return fd;
    close(fd);
    return fail(report, ESRCH, "find process", path);
}
