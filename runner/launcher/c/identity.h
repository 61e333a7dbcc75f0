/* Who a process is and what it may do. */
#ifndef BERTH_IDENTITY_H
#define BERTH_IDENTITY_H

#include "plan.h"

#include <grp.h>
#include <linux/filter.h>

#define MAX_GROUPS 1024

struct identity {
    uid_t uid;
    gid_t gid;
    gid_t groups[MAX_GROUPS];
    size_t group_count;
    char home[256];
};

/* The user of the plan, looked up in /etc/passwd and /etc/group beneath `root`. */
int identity_find(int root, const struct user_operation *user, struct identity *identity, struct report *report);

/* Becomes `identity` with no more than `security` and under `filter`; the last step before execve. */
int identity_assume(const struct identity *identity, const struct security_operation *security,
                    const struct sock_fprog *filter, uint32_t filter_flags, struct report *report);

#endif
