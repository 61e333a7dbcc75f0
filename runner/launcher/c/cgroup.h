/* One container's cgroup v2 directory. */
#ifndef BERTH_CGROUP_H
#define BERTH_CGROUP_H

#include "plan.h"

struct cgroup {
    int directory; /* the cgroup itself */
    int parent;
    char name[256];
};

long cgroup_event_count(int events, const char *key);
int cgroup_create(const char *root, const char *path, struct strings controllers, struct cgroup *cgroup,
                  struct report *report);
/* Opens what an earlier launch left; 1 when there is nothing. */
int cgroup_open(const char *root, const char *path, struct cgroup *cgroup, struct report *report);
/* From now on the processes in it reach the devices that the program allows, and no others. */
int cgroup_control_devices(const struct cgroup *cgroup, const struct device_program_operation *program,
                           struct report *report);
/* Kills every process in it and below, and waits a bounded time until they are gone. */
void cgroup_kill(const struct cgroup *cgroup);
bool cgroup_oom_killed(const struct cgroup *cgroup);
/* Kills every process in it and removes it, children first. Waits a bounded time for the processes to be gone. */
int cgroup_remove(const struct cgroup *cgroup, struct report *report);

#endif
