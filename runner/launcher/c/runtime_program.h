/* The program of an OCI runtime (runc, crun …), run in the bundle of a container. */
#ifndef BERTH_RUNTIME_PROGRAM_H
#define BERTH_RUNTIME_PROGRAM_H

#include "setup.h"

/*
 * Runs the runtime's program in the bundle with these arguments (NULL ends them) after those that all have, its log in
 * `log` of the bundle. `stdio`: -1 is /dev/null. Returns its pidfd.
 */
int runtime_run(const struct launch *launch, const char *log, const char *const arguments[], const int stdio[3],
                pid_t *pid, struct report *report);
/* Waits at most so long, then kills it. True when it has succeeded; closes the pidfd. */
bool runtime_succeeded(int pidfd, int timeout_ms);
/* What the program wrote last into its log, as the failure of `operation`. */
int runtime_failure(const struct launch *launch, const char *log, const char *operation, struct report *report);
/* The process whose number the runtime wrote into that file of the bundle; a child of ours. Its pidfd is returned. */
int runtime_child(const struct launch *launch, const char *file, pid_t *pid, struct report *report);
/* A socket of the bundle on which the runtime sends a pty, and what it has sent there. */
int runtime_listen(const struct launch *launch, const char *name, struct report *report);
int runtime_terminal(int listener, uint32_t rows, uint32_t columns, struct report *report);

#endif
