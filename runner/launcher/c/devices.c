/* Device nodes, made or bound from the host's, and the terminal that is /dev/console. */
#define _GNU_SOURCE
#include "devices.h"
#include "detached.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool is_device(const struct stat *status, const struct device_operation *device) {
    return (status->st_mode & S_IFMT) == (device->mode & S_IFMT) &&
           ((device->mode & S_IFMT) == S_IFIFO || status->st_rdev == makedev(device->major, device->minor));
}

int open_device(const struct device_operation *device, struct report *report) {
    struct stat status;
    int tree = open_tree(AT_FDCWD, device->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    if (tree < 0) return fail(report, errno, "open device of the host", device->source);
    struct mount_attr attributes = {.propagation = MS_PRIVATE};
    if (fstat(tree, &status) < 0 || !is_device(&status, device)) {
        errno = ENODEV;
        return fail_closing(tree, report, "verify device of the host", device->source);
    }
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
        return fail_closing(tree, report, "set attributes of device", device->source);
    return tree;
}

static int attach_device(int parent, const char *name, int tree, const struct device_operation *device, struct report *report) {
    if (is_guarded(parent)) return fail(report, EPERM, "make device beneath /proc or /sys", device->path);
    int target = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600);
    if (target < 0) return fail(report, errno, "make mount point of device", device->path);
    if (attach(tree, target) < 0) return fail_closing(target, report, "bind device on", device->path);
    close(target);
    return 0;
}

/* EPERM: nobody but the host's root may make nodes, but a mount of the host's does as well. */
static int make_node(int parent, const char *name, const struct device_operation *device, struct report *report) {
    if (mknodat(parent, name, device->mode, makedev(device->major, device->minor)) == 0) {
        if ((device->uid || device->gid) &&
            fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
            return fail(report, errno, "set owner of device", device->path);
        return 0;
    }
    int error = errno;
    struct stat status;
    if (error == EEXIST && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && is_device(&status, device)) return 0;
    if (error != EPERM || (device->mode & S_IFMT) == S_IFIFO) return fail(report, error, "make device", device->path);
    int tree = open_device(device, report);
    if (tree < 0) return -1;
    int result = attach_device(parent, name, tree, device, report);
    close(tree);
    return result;
}

int make_device(int root, int tree, const struct device_operation *device, struct report *report) {
    const char *name;
    int parent = open_parent(root, device->path, &name);
    if (parent < 0) return fail(report, errno, "open directory of device", device->path);
    int result = tree < 0 ? make_node(parent, name, device, report) : attach_device(parent, name, tree, device, report);
    close(parent);
    return result;
}

/*
 * /dev/pts/ptmx itself, not the link /dev/ptmx, verified to be on a devpts; its other end by ioctl, never by name.
 */
int open_pty(int root, int *terminal, struct report *report) {
    int master = open_beneath(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_SYMLINKS);
    if (master < 0) return fail(report, errno, "open", "/dev/pts/ptmx");
    struct stat status;
    if (filesystem_of(master) != DEVPTS_SUPER_MAGIC || fstat(master, &status) < 0 || status.st_rdev != makedev(5, 2)) {
        errno = EPERM;
        return fail_closing(master, report, "verify", "/dev/pts/ptmx");
    }
    int unlocked = 0;
    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0) return fail_closing(master, report, "unlock", "/dev/pts/ptmx");
    *terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*terminal < 0) return fail_closing(master, report, "open other end of", "/dev/pts/ptmx");
    return master;
}

int mount_console(int root, int terminal, struct report *report) {
    const char *name;
    int parent = open_parent(root, "/dev/console", &name);
    if (parent < 0) return fail(report, errno, "open", "/dev");
    int target = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600);
    if (target < 0) return fail_closing(parent, report, "make", "/dev/console");
    close(parent);
    int tree = open_tree(terminal, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int result = tree < 0 || attach(tree, target) < 0 ? fail(report, errno, "bind terminal on", "/dev/console") : 0;
    if (tree >= 0) close(tree);
    close(target);
    return result;
}
