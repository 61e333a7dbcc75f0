/* The child: from clone to execve. */
#ifndef BERTH_CONTAINER_H
#define BERTH_CONTAINER_H

#include "identity.h"
#include "plan.h"

#define MAX_RLIMITS 16
#define MAX_FILTER 4096

/* What every process of a container gets, its first one and each exec. */
struct restrictions {
    struct rlimit_operation rlimits[MAX_RLIMITS];
    size_t rlimit_count;
    struct security_operation security;
    struct sock_filter filter[MAX_FILTER];
    unsigned short filter_length;
};

struct child {
    const struct restrictions *restrictions;
    struct reader operations;
    uint32_t count;
    int sync;     /* reports to the shim; one byte from it says that the links are there */
    int stdio[3]; /* -1: stdin is /dev/null */
    bool terminal;
    uint32_t rows, columns;
};

/* Performs the operations up to execve; tells the shim what went wrong and exits otherwise. */
_Noreturn void child_run(struct child *child, int root);
/* The same for an exec: joins the namespaces of the container's first process before. */
_Noreturn void child_join(struct child *child, int pidfd);

#endif
