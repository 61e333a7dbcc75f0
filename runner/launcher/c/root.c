/* What a container's root is: an overlay of layers, or a directory with all of it. */
#define _GNU_SOURCE
#include "root.h"
#include "detached.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_LAYERS 512
#define OPTIONS_PAGE 4096

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

static int begin_options(struct option_text *options, const struct overlay_operation *overlay, struct report *report) {
    if (overlay->lower.count == 0 || overlay->lower.count > MAX_LAYERS)
        return fail(report, EINVAL, "mount overlay on", overlay->mount_point);
    options->opened_count = 0;
    options->length = (size_t)snprintf(options->text, sizeof(options->text), "redirect_dir=off,metacopy=off,index=off");
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
    if (begin_options(&options, overlay, report) < 0) return -1;
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
    if (begin_options(&options, overlay, report) < 0) return -1;
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
