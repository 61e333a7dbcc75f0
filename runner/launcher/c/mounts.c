/*
 * Mounts by fd. A file system is made detached (fsopen, fsmount) or cloned (open_tree) and then attached to a target that
 * was opened beneath the new root, so that no path is resolved twice and no symlink of the image is followed out of it.
 */
#define _GNU_SOURCE
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
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

/* Appends the number of a directory fd, its name within /proc/self/fd, and keeps it open; `rest` is what lies beneath it. */
static int append_fd(struct option_text *options, const char *prefix, int fd, const char *rest, const char *path,
                     struct report *report) {
    options->opened[options->opened_count++] = fd;
    size_t room = sizeof(options->text) - options->length;
    int added = snprintf(options->text + options->length, room, "%s%d%s", prefix, fd, rest);
    if (added < 0 || (size_t)added >= room) return fail(report, E2BIG, "mount overlay of too many layers on", path);
    options->length += (size_t)added;
    return 0;
}

static int append_directory(struct option_text *options, const char *prefix, const char *path, struct report *report) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(report, errno, "open layer", path);
    return append_fd(options, prefix, fd, "", path, report);
}

static int mount_options(const struct option_text *options, const char *mount_point, struct report *report) {
    if (chdir("/proc/self/fd") < 0) return fail(report, errno, "enter", "/proc/self/fd");
    if (mount("overlay", mount_point, "overlay", 0, options->text) < 0)
        return fail(report, errno, "mount overlay on", mount_point);
    return 0;
}

static void begin_options(struct option_text *options) {
    options->opened_count = 0;
    options->length = (size_t)snprintf(options->text, sizeof(options->text), "redirect_dir=off,metacopy=off,index=off");
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
    begin_options(&options);
    for (uint32_t i = 0; i < overlay->lower.count; i++) {
        if (append_directory(&options, i ? ":" : ",lowerdir=", next_string(&lower), report) < 0) return -1;
    }
    if (append_directory(&options, ",upperdir=", overlay->upper, report) < 0) return -1;
    if (append_directory(&options, ",workdir=", overlay->work, report) < 0) return -1;
    if (mount_options(&options, overlay->mount_point, report) < 0) return -1;
    while (options.opened_count > 0) close(options.opened[--options.opened_count]);
    int root = open(overlay->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return fail(report, errno, "open root", overlay->mount_point);
    if (filesystem_of(root) != OVERLAYFS_SUPER_MAGIC) return fail(report, EIO, "verify root", overlay->mount_point);
    return root;
}

/* A mount of a directory, owners mapped, attached somewhere: overlayfs takes no layer that is not. */
static int attach_mapped(const char *path, int user_namespace, const char *mount_point, struct report *report) {
    int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT);
    if (tree < 0) return fail(report, errno, "open layer", path);
    if (map_owners(tree, user_namespace, path, report) < 0) return close(tree), -1;
    if (move_mount(tree, "", AT_FDCWD, mount_point, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return fail_closing(tree, report, "mount layer", path);
    return tree;
}

/* Cuts a path into its directory and "/name". */
static bool split_path(const char *path, char directory[PATH_MAX], const char **name) {
    *name = strrchr(path, '/');
    size_t length = *name ? (size_t)(*name - path) : 0;
    if (length == 0 || length >= PATH_MAX || !(*name)[1] || strpbrk(*name, ",:\\")) return false;
    memcpy(directory, path, length);
    directory[length] = 0;
    return true;
}

/* The upper and the work directory have to be in one mount, so that is one of the directory which holds both. */
static int append_writable(struct option_text *options, const struct overlay_operation *overlay, int user_namespace,
                           struct report *report) {
    char directory[PATH_MAX], same[PATH_MAX];
    const char *upper, *work;
    if (!split_path(overlay->upper, directory, &upper) || !split_path(overlay->work, same, &work) ||
        strcmp(directory, same) != 0)
        return fail(report, EINVAL, "find the work directory beside", overlay->upper);
    int tree = attach_mapped(directory, user_namespace, overlay->mount_point, report);
    if (tree < 0 || append_fd(options, ",upperdir=", tree, upper, overlay->upper, report) < 0) return -1;
    int again = fcntl(tree, F_DUPFD_CLOEXEC, 3);
    if (again < 0) return fail(report, errno, "open", directory);
    return append_fd(options, ",workdir=", again, work, overlay->work, report);
}

/*
 * What overlayfs makes for itself, it makes as who mounted it; that must be somebody whom the mapped mounts know. With the
 * change to another than root the kernel takes rights to files away, which are needed on.
 */
static int act_as(uid_t uid, gid_t gid) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    setfsgid(gid);
    setfsuid(uid);
    if ((gid_t)setfsgid((gid_t)-1) != gid || (uid_t)setfsuid((uid_t)-1) != uid) return errno = EPERM, -1;
    return (int)syscall(SYS_capset, &header, data);
}

/* All of it lies on the mount point, one upon the other; what remains in the end is a detached copy of the topmost. */
int mount_mapped_overlay(const struct overlay_operation *overlay, int user_namespace,
                         const struct id_maps_operation *maps, struct report *report) {
    static struct option_text options;
    struct reader lower = overlay->lower.reader;
    if (overlay->lower.count == 0 || overlay->lower.count > MAX_LAYERS)
        return fail(report, EINVAL, "mount overlay on", overlay->mount_point);
    begin_options(&options);
    for (uint32_t i = 0; i < overlay->lower.count; i++) {
        const char *path = next_string(&lower);
        int tree = attach_mapped(path, user_namespace, overlay->mount_point, report);
        if (tree < 0 || append_fd(&options, i ? ":" : ",lowerdir=", tree, "", path, report) < 0) return -1;
    }
    if (append_writable(&options, overlay, user_namespace, report) < 0) return -1;
    if (act_as(maps->root_uid, maps->root_gid) < 0) return fail(report, errno, "act as", "root of the user namespace");
    int mounted = mount_options(&options, overlay->mount_point, report);
    if (act_as(0, 0) < 0) return fail(report, errno, "act as", "root");
    if (mounted < 0) return -1;
    while (options.opened_count > 0) close(options.opened[--options.opened_count]);
    if (chdir("/") < 0) return fail(report, errno, "enter", "/");
    int root = open_tree(AT_FDCWD, overlay->mount_point, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (root < 0) return fail(report, errno, "open root", overlay->mount_point);
    struct mount_attr attributes = {.propagation = MS_PRIVATE};
    if (filesystem_of(root) != OVERLAYFS_SUPER_MAGIC ||
        mount_setattr(root, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0) {
        errno = EIO;
        return fail_closing(root, report, "verify root", overlay->mount_point);
    }
    for (uint32_t i = 0; i < overlay->lower.count + 2; i++) umount2(overlay->mount_point, MNT_DETACH);
    return root;
}

int open_directory_root(const char *source, struct report *report) {
    struct stat status;
    int tree = open_tree(AT_FDCWD, source,
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW);
    if (tree < 0) return fail(report, errno, "open root", source);
    if (fstat(tree, &status) < 0 || !S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return fail_closing(tree, report, "verify root", source);
    }
    struct mount_attr attributes = {.propagation = MS_PRIVATE};
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
        return fail_closing(tree, report, "set attributes of root", source);
    return tree;
}

int mount_directory(const char *source, const char *mount_point, struct report *report) {
    int tree = open_directory_root(source, report);
    if (tree < 0) return -1;
    if (move_mount(tree, "", AT_FDCWD, mount_point, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return fail_closing(tree, report, "mount root on", mount_point);
    return tree;
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
    int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (own < 0) return fail(report, errno, "open", "mount namespace");
    bool entered = setns(HOST_NAMESPACE_FD, CLONE_NEWNS) == 0;
    int tree = clone_source(bind, report);
    bool returned = !entered || setns(own, CLONE_NEWNS) == 0;
    close(own);
    if (returned) return tree;
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

int map_owners(int tree, int user_namespace, const char *path, struct report *report) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) == 0) return 0;
    /* EINVAL: not with this file system, or it is mapped already. */
    enum category category = errno == EINVAL ? CATEGORY_UNSUPPORTED : CATEGORY_GENERAL;
    return fail_as(report, category, errno, "map the owners of files in", path);
}

int open_bind(const struct bind_operation *bind, int user_namespace, struct report *report) {
    int tree = clone_in_host(bind, report);
    if (tree < 0) return -1;
    if (set_attributes(tree, bind) < 0) return fail_closing(tree, report, "set attributes of bind", bind->source);
    if (!bind->id_map || map_owners(tree, user_namespace, bind->source, report) == 0) return tree;
    close(tree);
    return -1;
}

static bool is_directory(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

int mount_bind(int root, int tree, const struct bind_operation *bind, struct report *report) {
    if (tree < 0) tree = open_bind(bind, -1, report);
    if (tree < 0) return -1;
    struct stat status;
    if (fstat(tree, &status) < 0) return fail_closing(tree, report, "examine bind source", bind->source);
    int target = S_ISDIR(status.st_mode) ? open_or_make_directory(root, bind->destination)
                                         : open_or_make_file(root, bind->destination);
    if (target < 0) return fail_closing(tree, report, "open mount point", bind->destination);
    int result = 0;
    if (is_guarded(target))
        result = fail(report, EPERM, "mount beneath /proc or /sys", bind->destination);
    else if (!S_ISDIR(status.st_mode) && is_directory(target)) /* move_mount would say EINVAL, as it does for much */
        result = fail(report, ENOTDIR, "bind on", bind->destination);
    else if (attach(tree, target) < 0)
        result = fail(report, errno, "bind on", bind->destination);
    close(tree);
    close(target);
    return result;
}

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
int pivot(int root, const struct pivot_operation *how, struct report *report) {
    if (fchdir(root) < 0) return fail(report, errno, "enter", "new root");
    if (syscall(SYS_pivot_root, ".", ".") < 0) return fail(report, errno, "pivot to", "new root");
    if (umount2(".", MNT_DETACH) < 0) return fail(report, errno, "detach", "old root");
    if (chdir("/") < 0) return fail(report, errno, "enter", "/");
    struct mount_attr attributes = {.attr_set = how->readonly ? MOUNT_ATTR_RDONLY : 0, .propagation = how->propagation};
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
