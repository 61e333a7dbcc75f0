#define _GNU_SOURCE
#include "setup.h"
#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool has_user_namespace(const struct launch *launch) {
    return launch->namespaces & CLONE_NEWUSER || launch->user_namespace >= 0;
}

void give_pipes(const struct launch *launch, const int theirs[3]) {
    for (int i = 0; i < 3 && launch->has_id_maps; i++)
        if (theirs[i] > 0) (void)!fchown(theirs[i], launch->id_maps.root_uid, launch->id_maps.root_gid);
}

int make_pipes(bool with_stdin, int ours[3], int theirs[3]) {
    for (int i = 0; i < 3; i++) {
        int ends[2];
        ours[i] = theirs[i] = -1;
        if (i == 0 && !with_stdin) continue;
        if (pipe2(ends, O_CLOEXEC) < 0) return -1;
        ours[i] = i == 0 ? ends[1] : ends[0];
        theirs[i] = i == 0 ? ends[0] : ends[1];
        fcntl(ours[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

void reap_child(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

void end_child(pid_t pid) {
    kill(pid, SIGKILL);
    reap_child(pid);
}

pid_t clone_into(int cgroup, uint64_t flags, int *pidfd) {
    struct clone_args arguments = {.flags = flags | CLONE_PIDFD | (cgroup < 0 ? 0 : CLONE_INTO_CGROUP),
                                   .pidfd = (uint64_t)(uintptr_t)pidfd,
                                   .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* then it is the parent's */
                                   .cgroup = (uint64_t)cgroup};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

void set_oom_score(const struct launch *launch, pid_t pid, int notify) {
    char path[64], value[16];
    if (!launch->set_oom_score) return;
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
    snprintf(value, sizeof(value), "%d", launch->oom_score);
    if (write_file_at(AT_FDCWD, path, value) == 0 || notify < 0) return;
    struct report warning;
    fail(&warning, errno, "set oom_score_adj to", value);
    warning.kind = REPORT_WARNING;
    send_report(notify, &warning, -1);
}

int make_links(struct launch *launch, struct report *report) {
    for (size_t i = 0; i < launch->link_count; i++)
        if (link_create(&launch->links[i], IFLA_NET_NS_PID, (uint32_t)launch->pid, report) < 0) return -1;
    if (launch->link_count && send(launch->sync, "", 1, MSG_NOSIGNAL) < 0)
        return fail(report, errno, "tell the child about", "links");
    return 0;
}
