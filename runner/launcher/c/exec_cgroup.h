/* A cgroup for each exec, below the container's, so that it can be ended with all that came from it. */
#ifndef BERTH_EXEC_CGROUP_H
#define BERTH_EXEC_CGROUP_H

#include "berth.h"

struct exec_cgroup {
    int directory, events; /* -1: none */
    uint32_t number;
    pid_t pid;
};

int exec_cgroup_make(int container, struct exec_cgroup *cgroup, struct report *report);
void exec_cgroup_kill(const struct exec_cgroup *cgroup);
/* Removes it when nothing is left in it. Else, or when it cannot be told, false: `events` then becomes readable by EPOLLPRI. */
bool exec_cgroup_remove(int container, struct exec_cgroup *cgroup);

#endif
