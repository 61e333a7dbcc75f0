/*
 * No controller is turned on for it: the container's limits hold for all of its processes together. What an exec leaves
 * running when its first process has ended goes on, and keeps the cgroup until it ends too.
 */
#define _GNU_SOURCE
#include "exec_cgroup.h"
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many names may be taken by cgroups of the container's own making. */
#define MAX_TRIES 16

static void name_of(const struct exec_cgroup *cgroup, char name[32]) { snprintf(name, 32, "exec-%u", cgroup->number); }

int exec_cgroup_make(int container, struct exec_cgroup *cgroup, struct report *report) {
    static uint32_t next = 1;
    char name[32] = "";
    *cgroup = (struct exec_cgroup){.directory = -1, .events = -1};
    int made = -1;
    for (int tries = 0; tries < MAX_TRIES && made < 0 && (tries == 0 || errno == EEXIST); tries++) {
        cgroup->number = next++;
        name_of(cgroup, name);
        made = mkdirat(container, name, 0755);
    }
    if (made < 0) return fail(report, errno, "make cgroup", name);
    cgroup->directory = openat(container, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (cgroup->directory >= 0) return 0;
    fail(report, errno, "open cgroup", name);
    unlinkat(container, name, AT_REMOVEDIR);
    return -1;
}

void exec_cgroup_kill(const struct exec_cgroup *cgroup) {
    if (cgroup->directory >= 0) write_file_at(cgroup->directory, "cgroup.kill", "1");
}

static void close_all(struct exec_cgroup *cgroup) {
    if (cgroup->directory >= 0) close(cgroup->directory);
    if (cgroup->events >= 0) close(cgroup->events);
    cgroup->directory = cgroup->events = -1;
}

bool exec_cgroup_remove(int container, struct exec_cgroup *cgroup) {
    char name[32];
    if (cgroup->directory < 0) return true;
    name_of(cgroup, name);
    if (unlinkat(container, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return close_all(cgroup), true;
    if (cgroup->events < 0) cgroup->events = openat(cgroup->directory, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (cgroup->events < 0) return close_all(cgroup), true;
    /* Read, and so armed, before the last try: what ends between the two is told by an event. */
    cgroup_event_count(cgroup->events, "populated");
    if (unlinkat(container, name, AT_REMOVEDIR) < 0 && errno != ENOENT) return false;
    return close_all(cgroup), true;
}
