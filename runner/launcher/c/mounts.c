/*
 * Mounts by fd. A file system is made detached (fsopen, fsmount) or cloned (open_tree) and then attached to a target that
 * was opened beneath the new root, so that no path is resolved twice and no symlink of the image is followed out of it.
 */
#define _GNU_SOURCE
#include "mounts.h"
#include "detached.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

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

int make_symlink(int root, const char *path, const char *target, struct report *report) {
    const char *name;
    int parent = open_parent(root, path, &name);
    if (parent < 0) return fail(report, errno, "open directory of link", path);
    if (symlinkat(target, parent, name) < 0) return fail_closing(parent, report, "make link", path);
    close(parent);
    return 0;
}
