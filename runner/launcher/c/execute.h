#ifndef BERTH_EXECUTE_H
#define BERTH_EXECUTE_H

#include "container.h"

/* What a child has found on its way to execve. */
struct progress {
    struct child *child;
    int root;
    int slave; /* the process's end of the pty */
    struct identity identity;
    int apparmor; /* where to write the profile for execve, or -1 */
};

/* The last step; returns only when it failed. */
int execute(struct progress *progress, const struct exec_operation *exec, struct report *report);

#endif
