#define _GNU_SOURCE
#include "detached.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

long filesystem_of(int fd) {
    struct statfs status;
    return fstatfs(fd, &status) < 0 ? 0 : (long)status.f_type;
}

bool is_guarded(int target) {
    long type = filesystem_of(target);
    return type == PROC_SUPER_MAGIC || type == SYSFS_MAGIC;
}

int create_filesystem(const struct filesystem_operation *filesystem, struct report *report) {
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

int map_owners(int tree, int user_namespace, const char *path, struct report *report) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) == 0) return 0;
    /* EINVAL: not with this file system, or it is mapped already. */
    enum category category = errno == EINVAL ? CATEGORY_UNSUPPORTED : CATEGORY_GENERAL;
    return fail_as(report, category, errno, "map the owners of files in", path);
}

int attach(int mount, int target) {
    return move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int fail_closing(int fd, struct report *report, const char *operation, const char *object) {
    int error = errno;
    close(fd);
    return fail(report, error, operation, object);
}
