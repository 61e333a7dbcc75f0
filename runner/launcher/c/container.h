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
    uint32_t filter_flags; /* SECCOMP_FILTER_FLAG_* */
    const char *apparmor; /* profile, or NULL */
};

/* A namespace to join, or what else a child inherits of the shim by number. */
struct join {
    int fd;
    uint32_t kind;
};
#define MAX_JOINS 8

struct child {
    const struct restrictions *restrictions;
    struct reader operations;
    uint32_t count;
    int sync;     /* reports to the shim; one byte from it says that the links are there */
    int stdio[3]; /* -1: stdin is /dev/null */
    bool terminal;
    uint32_t rows, columns;
    struct join joins[MAX_JOINS];
    size_t join_count;
    uint32_t host_namespaces; /* CLONE_NEW* of what it shares with the host */
    bool unmapped;            /* in a user namespace whose id maps the shim still has to write, and then say so by a byte */
    int apparmor;             /* where to write the profile, opened before the host's /proc is gone; -1: none */
    bool foreign;             /* in a user namespace: without rights of the host, so the shim sends what is mounted of that */
};

/* Performs the operations up to execve; tells the shim what went wrong and exits otherwise. */
_Noreturn void child_run(struct child *child, int root);
/* The same for an exec: joins the namespaces of the container's first process before. */
_Noreturn void child_join(struct child *child, int pidfd, int flags);

#endif
