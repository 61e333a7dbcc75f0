/* The start of an exec: one more process in the container. Its streams and its end are like the first process's (process.c). */
#define _GNU_SOURCE
#include "shim.h"
#include "runtime_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * In the child of an exec: moves what it needs out of the way and closes the rest, so that none of the shim's descriptors
 * is open in a process that the container's processes can already see.
 */
static void keep_only(int *kept[], size_t count) {
    enum { BASE = 600 };
    for (size_t i = 0; i < count; i++)
        if (*kept[i] >= 0) *kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, BASE);
    close_range(0, BASE - 1, 0);
}

static _Noreturn void exec_child(struct child *child, int pidfd) {
    int *kept[] = {&child->sync, &child->stdio[0], &child->stdio[1], &child->stdio[2], &pidfd};
    int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    /* The kernel refuses to join a user namespace that one is in. */
    if (has_user_namespace(&shim.launch)) flags |= CLONE_NEWUSER;
    keep_only(kept, ARRAY_SIZE(kept));
    child_join(child, pidfd, flags);
}

static int start_exec(struct process *process, struct child *child, struct report *report) {
    int pair[2], ours[3] = {-1, -1, -1}, pidfd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail(report, errno, "create", "pair");
    bool piped = child->terminal || make_pipes(child->stdio[0] == 0, ours, child->stdio) == 0;
    child->sync = pair[1];
    if (piped) give_pipes(&shim.launch, child->stdio);
    process->pid = piped ? clone_into(process->cgroup.directory, 0, &pidfd) : -1;
    process->cgroup.pid = process->pid;
    if (process->pid == 0) exec_child(child, shim.processes[0].pidfd.fd);
    int error = errno;
    close(pair[1]);
    for (int i = 0; i < 3; i++)
        if (piped && child->stdio[i] > 0) close(child->stdio[i]);
    process->sync.fd = pair[0];
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    process->pidfd.fd = pidfd;
    process->in.fd = ours[0];
    process->out.fd = ours[1];
    process->err.fd = ours[2];
    if (process->pid > 0) {
        /* Else it would have ours, which a service manager may have set lower than any container's may be. */
        set_oom_score(&shim.launch, process->pid, -1);
        return 0;
    }
    close_source(&process->sync);
    process_close_streams(process);
    exec_cgroup_remove(shim.launch.cgroup.directory, &process->cgroup);
    process->used = false;
    return fail(report, error, "clone", "exec");
}

/* Only the limits of resources are left. */
static const struct restrictions *unrestricted(void) {
    struct restrictions *all = &shim.unrestricted;
    const struct restrictions *usual = &shim.launch.restrictions;
    memcpy(all->rlimits, usual->rlimits, sizeof(all->rlimits));
    all->rlimit_count = usual->rlimit_count;
    all->security = (struct security_operation){.bounding = ~0ull, .permitted = ~0ull, .effective = ~0ull};
    return all;
}

/* The shim's children are born in the container's pid namespace since it joined that for them, see shim_run. */
int process_exec(int connection, const uint8_t *payload, size_t size, struct report *report) {
    static struct child child;
    struct reader reader = {.at = payload, .left = size};
    struct process *process = NULL;
    child = (struct child){.restrictions = &shim.launch.restrictions, .stdio = {-1, -1, -1}};
    child.terminal = get_u32(&reader);
    child.rows = get_u32(&reader);
    child.columns = get_u32(&reader);
    uint32_t flags = get_u32(&reader);
    if (flags & EXEC_STDIN) child.stdio[0] = 0; /* wanted; the pipe replaces it */
    if (flags & EXEC_PRIVILEGED) child.restrictions = unrestricted();
    if (!check_operations(&reader, &child.operations, &child.count, OP_CONSOLE, OP_EXEC) || reader.left != 0)
        return fail(report, EINVAL, "decode", "exec");
    if (shim.ended) return fail(report, ESRCH, "join", "container that has ended");
    for (int i = 1; i < MAX_PROCESSES && !process; i++)
        if (!shim.processes[i].used) process = &shim.processes[i];
    if (!process) return fail(report, EAGAIN, "start (too many at once)", "exec");
    process_reset(process);
    process->used = true;
    process->terminal = child.terminal;
    process->connection = connection;
    if (exec_cgroup_make(shim.launch.cgroup.directory, &process->cgroup, report) < 0) {
        process->used = false;
        return -1;
    }
    if (shim.launch.runtime.binary) {
        if (runtime_exec_start(process, &child, flags & EXEC_PRIVILEGED, report) < 0) return -1;
    } else if (start_exec(process, &child, report) < 0) {
        return -1;
    }
    shim.connections[connection].process = (int)(process - shim.processes);
    return 0;
}
