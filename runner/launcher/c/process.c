/* The container's first process and its execs while they run: their streams, their end. */
#define _GNU_SOURCE
#include "shim.h"
#include "runtime_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_first(const struct process *process) { return process == &shim.processes[0]; }

void close_source(struct source *source) {
    /* Explicitly out of the set: a child that has not called execve yet may still hold a copy. */
    if (source->fd >= 0 && source->events) epoll_ctl(shim.epoll, EPOLL_CTL_DEL, source->fd, NULL);
    if (source->fd >= 0) close(source->fd);
    source->fd = -1;
    source->events = 0;
}

void process_reset(struct process *process) {
    memset(process, 0, sizeof(*process));
    process->connection = process->console = -1;
    process->cgroup.directory = process->cgroup.events = -1;
    process->pidfd.fd = process->sync.fd = process->in.fd = process->out.fd = process->err.fd = -1;
}

void process_close_streams(struct process *process) {
    close_source(&process->in);
    close_source(&process->out);
    close_source(&process->err);
}

bool process_has_room(const struct process *process) {
    const struct connection *connections = shim.connections;
    if (!is_first(process))
        return process->connection >= 0 &&
               connection_room(&connections[process->connection]) > 2 * (READ_SIZE + FRAME_HEADER);
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        if (connections[i].used && connections[i].kind == CONNECTION_ATTACH &&
            connection_room(&connections[i]) < ATTACH_ROOM)
            return false;
    }
    return true;
}

static void deliver(struct process *process, int stream, const char *bytes, size_t size) {
    uint32_t kind = stream ? SHIM_STDERR : SHIM_STDOUT;
    if (!is_first(process)) {
        connection_send(&shim.connections[process->connection], kind, 0, bytes, size);
        return;
    }
    log_write(&shim.log, &shim.streams[stream], bytes, size);
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *c = &shim.connections[i];
        if (c->used && c->kind == CONNECTION_ATTACH) connection_send(c, kind, 0, bytes, size);
    }
}

/* One read; false when there is nothing more for now. EIO: nobody has the pty's other side open any more. */
static bool pump_stream(struct process *process, struct source *source, int stream) {
    static char scratch[READ_SIZE];
    if (source->fd < 0) return false;
    ssize_t size = read(source->fd, scratch, sizeof(scratch));
    if (size > 0) {
        deliver(process, stream, scratch, (size_t)size);
        return true;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    close_source(source);
    return false;
}

/* Keeps the cgroup of an exec that is over until it is empty. */
static void leave_cgroup(struct process *process) {
    struct exec_cgroup *cgroup = &process->cgroup;
    if (exec_cgroup_remove(shim.launch.cgroup.directory, cgroup)) return;
    for (int i = 0; i < MAX_LEFT; i++) {
        struct left_cgroup *left = &shim.left[i];
        if (left->used) continue;
        *left = (struct left_cgroup){.used = true, .cgroup = *cgroup, .events = {.fd = cgroup->events}};
        return;
    }
    close(cgroup->directory);
    close(cgroup->events);
}

void left_cgroup_changed(struct left_cgroup *left) {
    int events = left->cgroup.events;
    /* Out of the set before it is closed, as everything here. */
    epoll_ctl(shim.epoll, EPOLL_CTL_DEL, events, NULL);
    left->events.events = 0;
    if (exec_cgroup_remove(shim.launch.cgroup.directory, &left->cgroup)) left->used = false;
}

int process_kill(uint32_t pid) {
    for (int i = 1; i < MAX_PROCESSES; i++)
        if (shim.processes[i].used && shim.processes[i].pid == (pid_t)pid) exec_cgroup_kill(&shim.processes[i].cgroup);
    for (int i = 0; i < MAX_LEFT; i++)
        if (shim.left[i].used && shim.left[i].cgroup.pid == (pid_t)pid) exec_cgroup_kill(&shim.left[i].cgroup);
    return 0;
}

void process_finish_exec(struct process *process) {
    leave_cgroup(process);
    if (process->connection >= 0) {
        struct connection *connection = &shim.connections[process->connection];
        connection_send_exit(connection, process);
        connection->process = -1;
        connection->closing = true;
    }
    process_close_streams(process);
    close_source(&process->pidfd);
    process->used = false;
}

/* Reads the streams once, or (`all`) until nothing is left; then an exec that has exited is over. */
void process_pump(struct process *process, bool all) {
    bool more = process->connection >= 0 || is_first(process);
    while (more) {
        /* Once the container has ended its pipes are emptied whatever the room, which was kept for this. */
        if (!process_has_room(process) && !(shim.ended && is_first(process))) return;
        more = pump_stream(process, &process->out, 0);
        more = pump_stream(process, &process->err, 1) || more;
        if (!all) break;
    }
    if (process->exited && !more && !is_first(process)) process_finish_exec(process);
}

int process_signal(const struct process *process, uint32_t number) {
    if (!process->used || process->exited) return errno = ESRCH, -1;
    return (int)syscall(SYS_pidfd_send_signal, process->pidfd.fd, number, NULL, 0);
}

int process_resize(const struct process *process, uint32_t rows, uint32_t columns) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    if (!process->used || !process->terminal || process->out.fd < 0) return errno = ENOTTY, -1;
    return ioctl(process->out.fd, TIOCSWINSZ, &size);
}

/* Takes the exit status; the streams may still hold output. */
void process_reaped(struct process *process) {
    siginfo_t info = {0};
    if (process->sync.fd >= 0) process_sync(process);
    if (!process->used) return;
    if (waitid(P_PIDFD, (id_t)process->pidfd.fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) return;
    process->exited = true;
    process->code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    close_source(&process->pidfd);
    if (!is_first(process)) process_pump(process, true);
}

void process_exec_failed(struct process *process, const struct report *report) {
    if (process->connection >= 0) {
        struct connection *connection = &shim.connections[process->connection];
        connection_send_failure(connection, connection->request, report);
        connection->process = -1;
        connection->closing = true;
        process->connection = -1;
    }
    process_close_streams(process);
    close_source(&process->sync);
}

/* What the child of an exec reports on its way; its end of the pair closes when it calls execve. */
void process_sync(struct process *process) {
    struct report report;
    int fd, result;
    if (shim.launch.runtime.binary) return runtime_exec_sync(process);
    while ((result = receive_report(process->sync.fd, &report, &fd)) == 1) {
        if (report.kind == REPORT_EXEC) process->reached = true;
        if (report.kind == REPORT_TERMINAL && fd >= 0 && process->out.fd < 0) {
            fcntl(fd, F_SETFL, O_NONBLOCK);
            process->in.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
            process->out.fd = fd;
        } else if (fd >= 0) {
            close(fd);
        }
        if (report.kind == REPORT_FAILED) return process_exec_failed(process, &report);
    }
    if (result < 0) return;
    close_source(&process->sync);
    if (!process->reached) {
        fail(&report, ECHILD, "set up (it died meanwhile)", "exec");
        return process_exec_failed(process, &report);
    }
    process_exec_started(process);
}

void process_exec_started(struct process *process) {
    process->started = true;
    if (process->connection < 0) return process_close_streams(process);
    uint8_t pid[4];
    put_u32(pid, (uint32_t)process->pid);
    struct connection *connection = &shim.connections[process->connection];
    connection_send(connection, SHIM_STARTED, connection->request, pid, sizeof(pid));
}
