/* Execs in a container of an OCI runtime, by that. The runtime's program runs beside the loop, which never waits for it. */
#ifndef BERTH_RUNTIME_EXEC_H
#define BERTH_RUNTIME_EXEC_H

#include "container.h"
#include "runtime.h"
#include "shim.h"

/* `child`: its streams and operations. On failure the process's place is free again. */
int runtime_exec_start(struct process *process, const struct child *child, bool privileged, struct report *report);
/* The runtime's program has ended: the exec runs, or has failed. */
void runtime_exec_sync(struct process *process);
/* The container has ended; programs that still want to exec in it are killed. */
void runtime_exec_abandon(void);
/* A descriptor that tells of ended children, or -1. */
int runtime_exec_watch_children(void);
/* Collects processes that were left to the shim as subreaper and are nobody's here. */
void runtime_exec_reap_orphans(void);

#endif
