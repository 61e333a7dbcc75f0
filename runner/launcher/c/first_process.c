/*
 * The first process as the shim makes it. It makes its mounts while what only the shim may do is done here; then we wait
 * until it has called execve.
 */
#define _GNU_SOURCE
#include "first_process.h"
#include "host_mounts.h"
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The new namespaces of a container in another's user namespace must belong to that, so who clones must be in it: a helper,
 * which then has the child as its sibling.
 */
static pid_t clone_beside(struct launch *launch) {
    int ends[2], ignored;
    pid_t child = -1;
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    pid_t helper = fork();
    if (helper == 0) {
        /* Still with our ids, to which the cgroup belongs; the child becomes the other root. */
        bool in = setns(launch->user_namespace, CLONE_NEWUSER) == 0 &&
                  (launch->pid_namespace < 0 || setns(launch->pid_namespace, CLONE_NEWPID) == 0);
        child = in ? clone_into(launch->cgroup.directory, launch->namespaces | CLONE_PARENT, &ignored) : -1;
        if (child == 0) return 0;
        if (child < 0) child = -errno;
        (void)!write(ends[1], &child, sizeof(child));
        _exit(0);
    }
    int error = helper < 0 ? errno : ESRCH;
    close(ends[1]);
    if (helper > 0 && read(ends[0], &child, sizeof(child)) != sizeof(child)) child = -error;
    close(ends[0]);
    if (helper > 0) reap_child(helper);
    if (helper < 0) child = -error;
    if (child > 0 && (launch->pidfd = (int)syscall(SYS_pidfd_open, child, 0)) < 0) {
        error = errno;
        end_child(child);
        child = -error;
    }
    if (child < 0) errno = -child;
    return child < 0 ? -1 : child;
}

static pid_t clone_child(struct launch *launch) {
    if (launch->user_namespace >= 0) return clone_beside(launch);
    /* Its children are born there, and so are the execs later. */
    if (launch->pid_namespace >= 0 && setns(launch->pid_namespace, CLONE_NEWPID) < 0) return -1;
    return clone_into(launch->cgroup.directory, launch->namespaces, &launch->pidfd);
}

static int start_child(struct launch *launch, const struct plan *plan, struct report *report) {
    static struct child child;
    int pair[2], ours[3] = {-1, -1, -1};
    child = (struct child){.restrictions = &launch->restrictions,
                           .operations = plan->container,
                           .count = plan->container_count,
                           .stdio = {-1, -1, -1},
                           .terminal = launch->shim.terminal,
                           .rows = launch->shim.rows,
                           .columns = launch->shim.columns,
                           .join_count = launch->join_count,
                           .host_namespaces = launch->host_namespaces,
                           .unmapped = (launch->namespaces & CLONE_NEWUSER) != 0,
                           .apparmor = -1,
                           .foreign = has_user_namespace(launch)};
    memcpy(child.joins, launch->joins, sizeof(child.joins));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail(report, errno, "create", "pair");
    if (!child.terminal && make_pipes(launch->shim.keep_stdin, ours, child.stdio) < 0)
        return fail(report, errno, "create", "pipes");
    child.sync = pair[1];
    give_pipes(launch, child.stdio);
    launch->pid = clone_child(launch);
    if (launch->pid == 0) {
        /* Ours must be gone in the child, or it would never see the shim's death as an end of file. */
        close(pair[0]);
        child_run(&child, -1);
    }
    int error = errno;
    close(pair[1]);
    for (int i = 0; i < 3; i++)
        if (child.stdio[i] >= 0) close(child.stdio[i]);
    launch->sync = pair[0];
    launch->standard_in = ours[0];
    launch->standard_out = ours[1];
    launch->standard_error = ours[2];
    return launch->pid < 0 ? fail(report, error, "clone", "first process") : 0;
}

/* A child that has failed by itself takes its network namespace with it: what it said is the reason then, not the link's. */
static void prefer_word_of_child(const struct launch *launch, struct report *report) {
    struct report message;
    int fd;
    fcntl(launch->sync, F_SETFL, O_NONBLOCK);
    while (receive_report(launch->sync, &message, &fd) == 1) {
        if (fd >= 0) close(fd);
        if (message.kind == REPORT_FAILED) *report = message;
    }
}

/* Until the child's end closes by execve. A death before it said REPORT_EXEC is a failure too. */
static int await_exec(struct launch *launch, int notify, struct report *report) {
    bool reached = false;
    struct report message;
    int fd;
    while (receive_report(launch->sync, &message, &fd) == 1) {
        if (message.kind == REPORT_FAILED) {
            *report = message;
            return -1;
        }
        if (message.kind == REPORT_WARNING) send_report(notify, &message, -1);
        if (message.kind == REPORT_EXEC) reached = true;
        if (message.kind == REPORT_TERMINAL && launch->terminal < 0)
            launch->terminal = fd;
        else if (fd >= 0)
            close(fd);
    }
    close(launch->sync);
    launch->sync = -1;
    return reached ? 0 : fail(report, ECHILD, "set up (it died meanwhile)", "first process");
}

static int write_id_maps(const struct launch *launch, struct report *report) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d", launch->pid);
    int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (process < 0) return fail(report, errno, "open process", path);
    int result = write_file_at(process, "gid_map", launch->id_maps.gid_map) == 0 &&
                         write_file_at(process, "uid_map", launch->id_maps.uid_map) == 0
                     ? 0
                     : fail(report, errno, "write id maps of", "user namespace");
    close(process);
    if (result == 0 && send(launch->sync, "", 1, MSG_NOSIGNAL) < 0)
        result = fail(report, errno, "tell the child about", "id maps");
    return result;
}

/* What only the host's root may do for a child in a user namespace: its id maps, and mounts of what is the host's. */
static int serve_user_namespace(const struct launch *launch, const struct plan *plan, struct report *report) {
    char path[32];
    if (launch->namespaces & CLONE_NEWUSER && write_id_maps(launch, report) < 0) return -1;
    snprintf(path, sizeof(path), "/proc/%d/ns/user", launch->pid);
    int namespace = open_namespace(path, CLONE_NEWUSER, report);
    if (namespace < 0) return -1;
    int result = host_mounts_send(plan, namespace, &launch->id_maps, launch->sync, report);
    close(namespace);
    return result;
}

int first_process_start(struct launch *launch, const struct plan *plan, int notify, struct report *report) {
    if (start_child(launch, plan, report) < 0) return -1;
    set_oom_score(launch, launch->pid, notify);
    if (has_user_namespace(launch) && serve_user_namespace(launch, plan, report) < 0)
        return prefer_word_of_child(launch, report), -1;
    if (make_links(launch, report) < 0) return prefer_word_of_child(launch, report), -1;
    if (await_exec(launch, notify, report) < 0) return -1;
    if (launch->terminal >= 0) fcntl(launch->terminal, F_SETFL, O_NONBLOCK);
    return 0;
}
