#ifndef BERTH_FIRST_PROCESS_H
#define BERTH_FIRST_PROCESS_H

#include "setup.h"

/* The container's first process, in its cgroup, as far as execve; warnings go to `notify`. */
int first_process_start(struct launch *launch, const struct plan *plan, int notify, struct report *report);

#endif
