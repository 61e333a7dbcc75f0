/* Makes and removes a container's cgroup, always through the fd of the directory above it. */
#define _GNU_SOURCE
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define MAX_DEPTH 16

/* Gives the children of `directory` the controllers, one by one: one that the host lacks must not cost the others. */
static void enable_controllers(int directory, struct strings controllers) {
    for (uint32_t i = 0; i < controllers.count; i++) {
        char word[32];
        snprintf(word, sizeof(word), "+%.30s", next_string(&controllers.reader));
        write_file_at(directory, "cgroup.subtree_control", word);
    }
}

static int open_root(const char *root, struct report *report) {
    int fd = open(root, DIRECTORY_FLAGS);
    struct statfs status;
    if (fd < 0) return fail(report, errno, "open cgroup hierarchy", root);
    if (fstatfs(fd, &status) < 0 || status.f_type != CGROUP2_SUPER_MAGIC) {
        close(fd);
        return fail(report, EINVAL, "use as cgroup v2 hierarchy", root);
    }
    return fd;
}

/* Cuts the first component off `*path` into `name`; false at the end or when it is not a plain name. */
static bool next_component(const char **path, char name[256]) {
    while (**path == '/') (*path)++;
    size_t length = strcspn(*path, "/");
    if (length == 0 || length > 255) return false;
    memcpy(name, *path, length);
    name[length] = 0;
    *path += length;
    while (**path == '/') (*path)++;
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The container's own directory must be new: what an earlier launch left there is removed first. */
static int make_leaf(struct cgroup *cgroup, struct report *report) {
    if (mkdirat(cgroup->parent, cgroup->name, 0755) < 0) {
        if (errno != EEXIST) return fail(report, errno, "make cgroup", cgroup->name);
        cgroup->directory = openat(cgroup->parent, cgroup->name, DIRECTORY_FLAGS);
        if (cgroup->directory < 0) return fail(report, errno, "open cgroup", cgroup->name);
        if (cgroup_remove(cgroup, report) < 0) return -1;
        close(cgroup->directory);
        if (mkdirat(cgroup->parent, cgroup->name, 0755) < 0) return fail(report, errno, "make cgroup", cgroup->name);
    }
    cgroup->directory = openat(cgroup->parent, cgroup->name, DIRECTORY_FLAGS);
    return cgroup->directory < 0 ? fail(report, errno, "open cgroup", cgroup->name) : 0;
}

int cgroup_create(const char *root, const char *path, struct strings controllers, struct cgroup *cgroup,
                  struct report *report) {
    const char *rest = path;
    int parent = open_root(root, report);
    if (parent < 0) return -1;
    for (;;) {
        if (!next_component(&rest, cgroup->name)) return close(parent), fail(report, EINVAL, "make cgroup", path);
        if (!*rest) break;
        bool made = mkdirat(parent, cgroup->name, 0755) == 0;
        if (!made && errno != EEXIST) return close(parent), fail(report, errno, "make cgroup", path);
        if (made) enable_controllers(parent, controllers);
        int next = openat(parent, cgroup->name, DIRECTORY_FLAGS);
        close(parent);
        if (next < 0) return fail(report, errno, "open cgroup", path);
        if (made) enable_controllers(next, controllers);
        parent = next;
    }
    cgroup->parent = parent;
    return make_leaf(cgroup, report);
}

int cgroup_open(const char *root, const char *path, struct cgroup *cgroup, struct report *report) {
    const char *rest = path;
    struct report why;
    int parent = open_root(root, &why);
    /* A hierarchy that is mounted elsewhere since the host was started again holds nothing of before. */
    if (parent < 0 && (why.error == ENOENT || why.error == EINVAL)) return 1;
    if (parent < 0) return *report = why, -1;
    while (next_component(&rest, cgroup->name)) {
        int next = openat(parent, cgroup->name, DIRECTORY_FLAGS);
        int error = errno;
        if (next >= 0 && !*rest) {
            cgroup->parent = parent;
            cgroup->directory = next;
            return 0;
        }
        close(parent);
        if (next < 0) return error == ENOENT ? 1 : fail(report, error, "open cgroup", path);
        parent = next;
    }
    close(parent);
    return fail(report, EINVAL, "open cgroup", path);
}

/*
 * cgroup v2 has no devices controller, a program on the cgroup is it. BPF_F_ALLOW_MULTI: all programs from here to the root
 * must agree. It goes away with the cgroup.
 */
int cgroup_control_devices(const struct cgroup *cgroup, const struct device_program_operation *program,
                           struct report *report) {
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insns = (uint64_t)(uintptr_t)program->instructions,
                           .insn_cnt = program->count,
                           .license = (uint64_t)(uintptr_t)"Apache-2.0"};
    int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
    if (fd < 0) return fail(report, errno, "load device program of cgroup", cgroup->name);
    union bpf_attr attach = {.target_fd = (uint32_t)cgroup->directory,
                             .attach_bpf_fd = (uint32_t)fd,
                             .attach_type = BPF_CGROUP_DEVICE,
                             .attach_flags = BPF_F_ALLOW_MULTI};
    long result = syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));
    int error = errno;
    close(fd);
    return result < 0 ? fail(report, error, "attach device program to cgroup", cgroup->name) : 0;
}

/* A counter of a flat keyed file (`oom_kill 1`), the format of every cgroup v2 event file. */
long cgroup_event_count(int fd, const char *key) {
    char text[1024];
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    if (size < 0) return 0;
    text[size] = 0;
    for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        size_t length = strlen(key);
        if (strncmp(line, key, length) == 0 && line[length] == ' ') return strtol(line + length + 1, NULL, 10);
    }
    return 0;
}

static int open_events(const struct cgroup *cgroup, const char *file) {
    return openat(cgroup->directory, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

bool cgroup_oom_killed(const struct cgroup *cgroup) {
    int fd = open_events(cgroup, "memory.events");
    if (fd < 0) return false;
    bool killed = cgroup_event_count(fd, "oom_kill") > 0;
    close(fd);
    return killed;
}

/*
 * Waits until no process is left in it, at most five seconds. The kernel signals a change as a priority event, relative
 * to what was last read from the same descriptor.
 */
static void wait_empty(const struct cgroup *cgroup) {
    int fd = open_events(cgroup, "cgroup.events");
    if (fd < 0) return;
    for (int tries = 0; tries < 50 && cgroup_event_count(fd, "populated") > 0; tries++) {
        struct pollfd wait = {.fd = fd, .events = POLLPRI};
        poll(&wait, 1, 100);
    }
    close(fd);
}

static void remove_children(int directory, int depth) {
    DIR *listing = depth < MAX_DEPTH ? fdopendir(openat(directory, ".", DIRECTORY_FLAGS)) : NULL;
    if (!listing) return;
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
        int child = openat(directory, entry->d_name, DIRECTORY_FLAGS);
        if (child < 0) continue;
        remove_children(child, depth + 1);
        close(child);
        unlinkat(directory, entry->d_name, AT_REMOVEDIR);
    }
    closedir(listing);
}

void cgroup_kill(const struct cgroup *cgroup) {
    write_file_at(cgroup->directory, "cgroup.kill", "1");
    wait_empty(cgroup);
}

int cgroup_remove(const struct cgroup *cgroup, struct report *report) {
    if (unlinkat(cgroup->parent, cgroup->name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    cgroup_kill(cgroup);
    remove_children(cgroup->directory, 0);
    if (unlinkat(cgroup->parent, cgroup->name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    return fail(report, errno, "remove cgroup", cgroup->name);
}
