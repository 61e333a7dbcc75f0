/*
 * Mounts by fd. A file system is made detached (fsopen, fsmount) or cloned (open_tree) and then attached to a target that
 * was opened beneath the new root, so that no path is resolved twice and no symlink of the image is followed out of it.
 */
#define _GNU_SOURCE
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAX_LAYERS 512
#define OPTIONS_PAGE 4096

static long filesystem_of(int fd) {
    struct statfs status;
    return fstatfs(fd, &status) < 0 ? 0 : (long)status.f_type;
}

/* Closes `fd` and fails with the errno of the call before. */
static int fail_closing(int fd, struct report *report, const char *operation, const char *object) {
    int error = errno;
    close(fd);
    return fail(report, error, operation, object);
}

static int attach(int mount, int target) {
    return move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

struct option_text {
    char text[OPTIONS_PAGE];
    size_t length;
    int opened[MAX_LAYERS + 2];
    size_t opened_count;
};

/* Appends the number of a freshly opened directory fd; its name within /proc/self/fd. */
static int append_directory(struct option_text *options, const char *prefix, const char *path, struct report *report) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(report, errno, "open layer", path);
    options->opened[options->opened_count++] = fd;
    size_t room = sizeof(options->text) - options->length;
    int added = snprintf(options->text + options->length, room, "%s%d", prefix, fd);
    if (added < 0 || (size_t)added >= room) return fail(report, E2BIG, "mount overlay of too many layers on", path);
    options->length += (size_t)added;
    return 0;
}

/*
 * mount(2) takes one page of options on every kernel that we support, while lowerdir+ needs a newer one: so the working
 * directory becomes /proc/self/fd, and each layer is named by the two or three digits of its fd. That also keeps commas
 * and colons of paths out of the option text.
 */
int mount_overlay(const struct overlay_operation *overlay, struct report *report) {
    static struct option_text options;
    struct reader lower = overlay->lower.reader;
    if (overlay->lower.count == 0 || overlay->lower.count > MAX_LAYERS)
        return fail(report, EINVAL, "mount overlay on", overlay->mount_point);
    options.length = (size_t)snprintf(options.text, sizeof(options.text), "redirect_dir=off,metacopy=off,index=off");
    for (uint32_t i = 0; i < overlay->lower.count; i++) {
        if (append_directory(&options, i ? ":" : ",lowerdir=", next_string(&lower), report) < 0) return -1;
    }
    if (append_directory(&options, ",upperdir=", overlay->upper, report) < 0) return -1;
    if (append_directory(&options, ",workdir=", overlay->work, report) < 0) return -1;
    if (chdir("/proc/self/fd") < 0) return fail(report, errno, "enter", "/proc/self/fd");
    if (mount("overlay", overlay->mount_point, "overlay", 0, options.text) < 0)
        return fail(report, errno, "mount overlay on", overlay->mount_point);
    while (options.opened_count > 0) close(options.opened[--options.opened_count]);
    int root = open(overlay->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return fail(report, errno, "open root", overlay->mount_point);
    if (filesystem_of(root) != OVERLAYFS_SUPER_MAGIC) return fail(report, EIO, "verify root", overlay->mount_point);
    return root;
}

static int create_filesystem(const struct filesystem_operation *filesystem, struct report *report) {
    int context = fsopen(filesystem->type, FSOPEN_CLOEXEC);
    if (context < 0) return fail(report, errno, "open file system", filesystem->type);
    struct reader parameters = filesystem->parameters.reader;
    if (*filesystem->source) fsconfig(context, FSCONFIG_SET_STRING, "source", filesystem->source, 0);
    for (uint32_t i = 0; i < filesystem->parameters.count; i += 2) {
        const char *key = next_string(&parameters);
        const char *value = next_string(&parameters);
        int result = *value ? fsconfig(context, FSCONFIG_SET_STRING, key, value, 0)
                            : fsconfig(context, FSCONFIG_SET_FLAG, key, NULL, 0);
        if (result < 0) return fail_closing(context, report, "set mount option", key);
    }
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return fail_closing(context, report, "create file system", filesystem->type);
    int mount = fsmount(context, FSMOUNT_CLOEXEC, filesystem->attributes);
    if (mount < 0) return fail_closing(context, report, "create mount of", filesystem->type);
    close(context);
    return mount;
}

/* Nothing of the host's or the image's choice may come to lie on or under /proc or /sys, where masks are. */
static bool is_guarded(int target) {
    long type = filesystem_of(target);
    return type == PROC_SUPER_MAGIC || type == SYSFS_MAGIC;
}

int mount_filesystem(int root, const struct filesystem_operation *filesystem, struct report *report) {
    bool proc = strcmp(filesystem->type, "proc") == 0;
    bool system = proc || strcmp(filesystem->type, "sysfs") == 0;
    bool cgroup = strcmp(filesystem->type, "cgroup2") == 0;
    int made = open_or_make_directory(root, filesystem->destination);
    if (made < 0) return fail(report, errno, "open mount point", filesystem->destination);
    close(made);
    /* /proc and /sys must be where the masks look for them, so no component may be a symlink of the image. */
    int target = open_beneath(root, filesystem->destination, O_PATH | O_DIRECTORY,
                              system || cgroup ? RESOLVE_NO_SYMLINKS : 0);
    if (target < 0) return fail(report, errno, "open mount point", filesystem->destination);
    if (is_guarded(target) && !(cgroup && filesystem_of(target) == SYSFS_MAGIC)) {
        errno = EPERM;
        return fail_closing(target, report, "mount beneath /proc or /sys", filesystem->destination);
    }
    int mount = create_filesystem(filesystem, report);
    if (mount < 0) return close(target), -1;
    int result = 0;
    if (proc && filesystem_of(mount) != PROC_SUPER_MAGIC)
        result = fail(report, EIO, "verify", filesystem->destination);
    else if (attach(mount, target) < 0)
        result = fail(report, errno, "mount on", filesystem->destination);
    close(mount);
    close(target);
    return result;
}

static int clone_source(const struct bind_operation *bind, struct report *report) {
    unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (bind->recursive ? AT_RECURSIVE : 0);
    if (!*bind->subpath) {
        int whole = open_tree(AT_FDCWD, bind->source, flags);
        return whole < 0 ? fail(report, errno, "open bind source", bind->source) : whole;
    }
    int source = open(bind->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (source < 0) return fail(report, errno, "open bind source", bind->source);
    int part = open_beneath(source, bind->subpath, O_PATH, 0);
    if (part < 0) return fail_closing(source, report, "open path beneath bind source", bind->subpath);
    close(source);
    int tree = open_tree(part, "", flags | AT_EMPTY_PATH);
    if (tree < 0) return fail_closing(part, report, "clone path beneath bind source", bind->subpath);
    close(part);
    return tree;
}

/*
 * A bind's source is cloned in the mount namespace of the runner, which knows what was mounted since the spawner began,
 * and whose mounts a shared bind must be a peer of. Both namespaces reset the working directory; every target is an fd.
 * Without the right to enter it (in a user namespace) the copy of it that the child has must do.
 */
static int clone_in_host(const struct bind_operation *bind, struct report *report) {
    static int own = -1;
    if (own < 0 && (own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) < 0)
        return fail(report, errno, "open", "mount namespace");
    if (setns(HOST_NAMESPACE_FD, CLONE_NEWNS) < 0) return clone_source(bind, report);
    int tree = clone_source(bind, report);
    if (setns(own, CLONE_NEWNS) == 0) return tree;
    if (tree >= 0) close(tree);
    return fail(report, errno, "return to", "mount namespace");
}

static int set_attributes(int tree, const struct bind_operation *bind) {
    unsigned int recursive = bind->recursive ? AT_RECURSIVE : 0;
    struct mount_attr all = {.attr_set = bind->recursive_attributes, .propagation = bind->propagation};
    struct mount_attr top = {.attr_set = bind->attributes};
    if (mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &all, sizeof(all)) < 0) return -1;
    return top.attr_set ? mount_setattr(tree, "", AT_EMPTY_PATH, &top, sizeof(top)) : 0;
}

int mount_bind(int root, const struct bind_operation *bind, struct report *report) {
    int tree = clone_in_host(bind, report);
    if (tree < 0) return -1;
    struct stat status;
    if (set_attributes(tree, bind) < 0) return fail_closing(tree, report, "set attributes of bind", bind->source);
    if (fstat(tree, &status) < 0) return fail_closing(tree, report, "examine bind source", bind->source);
    int target = S_ISDIR(status.st_mode) ? open_or_make_directory(root, bind->destination)
                                         : open_or_make_file(root, bind->destination);
    if (target < 0) return fail_closing(tree, report, "open mount point", bind->destination);
    int result = 0;
    if (is_guarded(target))
        result = fail(report, EPERM, "mount beneath /proc or /sys", bind->destination);
    else if (attach(tree, target) < 0)
        result = fail(report, errno, "bind on", bind->destination);
    close(tree);
    close(target);
    return result;
}

int make_device(int root, const struct device_operation *device, struct report *report) {
    const char *name;
    int parent = open_parent(root, device->path, &name);
    if (parent < 0) return fail(report, errno, "open directory of device", device->path);
    if (mknodat(parent, name, device->mode, makedev(device->major, device->minor)) < 0)
        return fail_closing(parent, report, "make device", device->path);
    if ((device->uid || device->gid) &&
        fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail_closing(parent, report, "set owner of device", device->path);
    close(parent);
    return 0;
}

int make_symlink(int root, const char *path, const char *target, struct report *report) {
    const char *name;
    int parent = open_parent(root, path, &name);
    if (parent < 0) return fail(report, errno, "open directory of link", path);
    if (symlinkat(target, parent, name) < 0) return fail_closing(parent, report, "make link", path);
    close(parent);
    return 0;
}

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

/* The old root goes on top of the new one and is detached from there: no directory has to be made for it. */
int pivot(int root, bool readonly, struct report *report) {
    if (fchdir(root) < 0) return fail(report, errno, "enter", "new root");
    if (syscall(SYS_pivot_root, ".", ".") < 0) return fail(report, errno, "pivot to", "new root");
    if (umount2(".", MNT_DETACH) < 0) return fail(report, errno, "detach", "old root");
    if (chdir("/") < 0) return fail(report, errno, "enter", "/");
    struct mount_attr attributes = {.attr_set = readonly ? MOUNT_ATTR_RDONLY : 0, .propagation = MS_PRIVATE};
    if (mount_setattr(AT_FDCWD, "/", 0, &attributes, sizeof(attributes)) < 0)
        return fail(report, errno, "set attributes of", "/");
    return 0;
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
