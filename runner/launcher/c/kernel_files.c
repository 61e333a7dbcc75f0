/* Files of the kernel in the container's /proc and /sys: hidden, made read-only, written. */
#define _GNU_SOURCE
#include "kernel_files.h"
#include "detached.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_null(int root, struct report *report) {
    int fd = open_beneath(root, "dev/null", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
    if (fd < 0) return fail(report, errno, "open mask", "/dev/null");
    if (is_null_device(fd)) return fd;
    errno = EPERM;
    return fail_closing(fd, report, "verify mask (device 1:3)", "/dev/null");
}

/* One empty read-only tmpfs serves all masked directories. It can be cloned from its second use on, once attached. */
static int empty_directory(struct report *report) {
    static int shared = -1;
    if (shared >= 0) {
        int clone = open_tree(shared, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        return clone < 0 ? fail(report, errno, "clone", "empty directory") : clone;
    }
    struct filesystem_operation empty = {
        .type = "tmpfs", .source = "tmpfs", .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    int mount = create_filesystem(&empty, report);
    shared = mount < 0 ? -1 : fcntl(mount, F_DUPFD_CLOEXEC, 3);
    return mount;
}

int mask_path(int root, const char *path, struct report *report) {
    int target = open_beneath(root, path, O_PATH, 0);
    if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : fail(report, errno, "open masked path", path);
    struct stat status;
    if (fstat(target, &status) < 0) return fail_closing(target, report, "examine masked path", path);
    int mask;
    if (S_ISDIR(status.st_mode)) {
        mask = empty_directory(report);
    } else {
        int null = open_null(root, report);
        mask = null < 0 ? -1 : open_tree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (null >= 0 && mask < 0) fail(report, errno, "clone mask for", path);
        if (null >= 0) close(null);
    }
    int result = mask < 0 ? -1 : 0;
    if (mask >= 0 && attach(mask, target) < 0) result = fail(report, errno, "mask", path);
    if (mask >= 0) close(mask);
    close(target);
    return result;
}

int make_path_readonly(int root, const char *path, struct report *report) {
    int target = open_beneath(root, path, O_PATH, 0);
    if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : fail(report, errno, "open read-only path", path);
    int tree = open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) return fail_closing(target, report, "clone read-only path", path);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    int result = 0;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) < 0 ||
        attach(tree, target) < 0)
        result = fail(report, errno, "make read-only", path);
    close(tree);
    close(target);
    return result;
}

/* A procfs of our own, attached nowhere, in which nobody can have planted a link or a mount. */
int write_sysctl(const char *name, const char *value, struct report *report) {
    static int proc = -1;
    if (proc < 0) {
        struct filesystem_operation fresh = {.type = "proc", .source = "proc"};
        proc = create_filesystem(&fresh, report);
        if (proc < 0) return -1;
        if (filesystem_of(proc) != PROC_SUPER_MAGIC) return fail(report, EIO, "verify", "private proc");
    }
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
    int directory = (int)syscall(SYS_openat2, proc, "sys", &how, sizeof(how));
    if (directory < 0) return fail(report, errno, "open sysctl", name);
    how.flags = O_WRONLY | O_CLOEXEC;
    int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
    close(directory);
    if (fd < 0) return fail(report, errno, "open sysctl", name);
    if (write(fd, value, strlen(value)) < 0) return fail_closing(fd, report, "write sysctl", name);
    close(fd);
    return 0;
}
