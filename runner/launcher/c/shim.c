/*
 * The shim: one per container, from its launch to its end. Invariants of the loop:
 * - what a source may do next is recomputed after every round (`refresh`), so no handler has to know the others;
 * - nothing blocks: every descriptor is non-blocking, every wait has a deadline;
 * - exit.json is in its place before anybody is told, so that a kill of whoever was told loses nothing, and the cgroup
 *   and the socket are gone before that; for the case that the machine loses power it is synced as soon as all are told.
 */
#define _GNU_SOURCE
#include "shim.h"
#include "launch.h"
#include "runtime_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shim shim;
struct buffers buffers[MAX_CONNECTIONS];

int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void want(struct source *source, uint32_t events, enum source_kind kind, int index) {
    if (source->fd < 0 || source->events == events) return;
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)kind << 32 | (uint32_t)index};
    int operation = !events ? EPOLL_CTL_DEL : source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(shim.epoll, operation, source->fd, &event) == 0) source->events = events;
}

static bool stdin_wanted(int index) {
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        const struct connection *c = &shim.connections[i];
        if (c->used && c->blocked && c->kind != CONNECTION_CONTROL && c->process == index) return true;
    }
    return false;
}

static void refresh_process(struct process *process, int index) {
    bool held = index == 0 && shim.held_ms;
    uint32_t read = process->started && !held && process_has_room(process) ? EPOLLIN : 0;
    /* A closed pipe reports EPOLLHUP whatever was asked for, so what must wait leaves the set altogether. */
    want(&process->out, read, SOURCE_OUT, index);
    want(&process->err, read, SOURCE_ERR, index);
    want(&process->in, process->started && stdin_wanted(index) ? EPOLLOUT : 0, SOURCE_IN, index);
    want(&process->sync, EPOLLIN, SOURCE_SYNC, index);
    want(&process->pidfd, held ? 0 : EPOLLIN, SOURCE_PIDFD, index);
}

static void refresh(void) {
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *connection = &shim.connections[i];
        if (connection->used && (connection->out_length > 0 || connection->closing)) connection_flush(connection);
        if (!connection->used) continue;
        uint32_t events = connection->blocked || connection->closing ? EPOLLRDHUP : EPOLLIN;
        if (connection->out_length > 0) events |= EPOLLOUT;
        want(&connection->source, events, SOURCE_CONNECTION, i);
    }
    for (int i = 0; i < MAX_PROCESSES; i++) {
        struct process *process = &shim.processes[i];
        if (process->used && process->exited && i > 0) process_pump(process, true);
        if (process->used) refresh_process(process, i);
    }
    for (int i = 0; i < MAX_LEFT; i++)
        if (shim.left[i].used) want(&shim.left[i].events, EPOLLPRI, SOURCE_LEFT, i);
    want(&shim.listener, EPOLLIN, SOURCE_LISTENER, 0);
    want(&shim.children, EPOLLIN, SOURCE_CHILDREN, 0);
}

/* Puts exit.json in its place; `sync_exit` makes it durable. */
static void place_exit(const struct process *process) {
    char text[128];
    int length = snprintf(text, sizeof(text), "{\"exitCode\":%d,\"oomKilled\":%s,\"finishedAtMs\":%lld}\n", process->code,
                          shim.oom_killed ? "true" : "false", (long long)shim.finished_ms);
    int fd = openat(shim.launch.state, EXIT_NEW, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return;
    if (write(fd, text, (size_t)length) == length && ftruncate(fd, length) == 0 &&
        renameat(shim.launch.state, EXIT_NEW, shim.launch.state, EXIT_NAME) == 0)
        shim.unsynced_exit = fd;
    else
        close(fd);
}

/* A sync takes milliseconds, and is for nobody who waits: a client that was told has a record of its own. */
static void sync_exit(void) {
    if (shim.unsynced_exit <= 0) return;
    fsync(shim.unsynced_exit);
    close(shim.unsynced_exit);
    shim.unsynced_exit = 0;
    fsync(shim.launch.state);
}

/* The first process has ended, and with it every other one: as init of its pid namespace, or else killed here. */
static void container_ended(void) {
    struct process *first = &shim.processes[0];
    struct report ignored;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    shim.finished_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    shim.ended_ms = monotonic_ms();
    shim.ended = true;
    if (!(shim.launch.namespaces & CLONE_NEWPID)) cgroup_kill(&shim.launch.cgroup);
    if (shim.launch.runtime.binary) runtime_exec_abandon();
    process_pump(first, true);
    log_end(&shim.log, &shim.streams[0]);
    log_end(&shim.log, &shim.streams[1]);
    process_close_streams(first);
    shim.oom_killed = cgroup_oom_killed(&shim.launch.cgroup);
    if (shim.launch.runtime.binary) runtime_delete(&shim.launch);
    cgroup_remove(&shim.launch.cgroup, &ignored);
    place_exit(first);
    /* Who is told may start the container again at once: the name is then the next shim's. */
    unlinkat(shim.launch.state, SOCKET_NAME, 0);
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *connection = &shim.connections[i];
        if (!connection->used || !connection->greeted) continue;
        connection_send_exit(connection, first);
        if (connection->kind == CONNECTION_ATTACH) connection->closing = true;
    }
}

static void kill_all(void) {
    shim.stop_ms = 0;
    write_file_at(shim.launch.cgroup.directory, "cgroup.kill", "1");
    process_signal(&shim.processes[0], SIGKILL);
}

/* When a client that takes nothing is dropped: an attached one that holds up a stop, any that holds up the shim's end. */
static int64_t dropped_at(const struct connection *c) {
    int64_t since = c->progress_ms;
    if (shim.hurry_ms > since) since = shim.hurry_ms;
    if (shim.ended && shim.ended_ms > since && !c->lingering) since = shim.ended_ms;
    return since + STALL_MS;
}

static int64_t next_deadline(void) {
    int64_t now = monotonic_ms(), next = shim.stop_ms;
    if (shim.stop_ms && now >= shim.stop_ms) {
        kill_all();
        next = 0;
    }
    if (shim.held_ms && now >= shim.held_ms) shim.held_ms = 0;
    if (shim.held_ms && (!next || shim.held_ms < next)) next = shim.held_ms;
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *c = &shim.connections[i];
        bool holds_up = shim.hurry_ms && c->used && c->kind == CONNECTION_ATTACH && connection_room(c) < ATTACH_ROOM;
        bool sending = c->out_length > 0 && (holds_up || shim.ended);
        if (!c->used || !(sending || c->lingering)) continue;
        int64_t due = dropped_at(c);
        if (now >= due)
            connection_close(c);
        else if (!next || due < next)
            next = due;
    }
    return next;
}

static void dispatch(uint64_t tag, uint32_t events) {
    enum source_kind kind = (enum source_kind)(tag >> 32);
    int index = (int)(tag & 0xffffffff);
    bool of_process = kind != SOURCE_CONNECTION && kind != SOURCE_LISTENER && kind != SOURCE_LEFT && kind != SOURCE_CHILDREN;
    struct process *process = &shim.processes[of_process ? index : 0];
    struct connection *connection = &shim.connections[kind == SOURCE_CONNECTION ? index : 0];
    switch (kind) {
    case SOURCE_LISTENER:
    case SOURCE_CHILDREN: break; /* see loop */
    case SOURCE_CONNECTION:
        if (connection->used && events & EPOLLOUT) connection_flush(connection);
        if (connection->used && events & EPOLLIN && !connection->blocked) connection_read(connection);
        if (connection->used && events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) connection_close(connection);
        break;
    case SOURCE_LEFT:
        if (shim.left[index].used) left_cgroup_changed(&shim.left[index]);
        break;
    case SOURCE_PIDFD:
        if (!process->used) break;
        process_reaped(process);
        if (index == 0 && process->exited && !shim.ended) container_ended();
        break;
    case SOURCE_SYNC:
        if (process->used && process->sync.fd >= 0) process_sync(process);
        break;
    case SOURCE_IN:
        for (int i = 0; i < MAX_CONNECTIONS; i++)
            if (shim.connections[i].used && shim.connections[i].blocked && shim.connections[i].process == index)
                connection_handle(&shim.connections[i]);
        break;
    case SOURCE_OUT:
    case SOURCE_ERR:
        if (process->used) process_pump(process, false);
        break;
    }
}

static bool finished(void) {
    if (!shim.ended) return false;
    for (int i = 1; i < MAX_PROCESSES; i++)
        if (shim.processes[i].used && monotonic_ms() < shim.ended_ms + STALL_MS) return false;
    for (int i = 0; i < MAX_CONNECTIONS; i++)
        if (shim.connections[i].used && (shim.connections[i].out_length > 0 || shim.connections[i].lingering)) return false;
    return true;
}

static void loop(void) {
    struct epoll_event events[32];
    for (;;) {
        int64_t deadline = next_deadline(); /* before refresh: dropping a client lets a process be read again */
        refresh();
        if (shim.ended) sync_exit();
        if (finished()) return;
        int64_t wait = deadline ? deadline - monotonic_ms() : shim.ended ? STALL_MS : -1;
        if (deadline && wait < 0) wait = 0;
        int count = epoll_wait(shim.epoll, events, ARRAY_SIZE(events), (int)(wait > 1000000 ? 1000000 : wait));
        /* New connections last: one must not get, with the place of one that was closed just now, its events too. */
        bool accept = false;
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 >> 32 == SOURCE_LISTENER)
                accept = true;
            else
                dispatch(events[i].data.u64, events[i].events);
        }
        if (accept) connection_accept();
        if (shim.launch.runtime.binary) runtime_exec_reap_orphans();
    }
}

/* The first process as the loop sees it. */
static void adopt(void) {
    struct launch *launch = &shim.launch;
    for (int i = 0; i < MAX_PROCESSES; i++) process_reset(&shim.processes[i]);
    struct process *first = &shim.processes[0];
    first->used = first->started = first->reached = true;
    first->terminal = launch->terminal >= 0;
    first->pid = launch->pid;
    first->pidfd.fd = launch->pidfd;
    first->in.fd = first->terminal ? fcntl(launch->terminal, F_DUPFD_CLOEXEC, 3) : launch->standard_in;
    first->out.fd = first->terminal ? launch->terminal : launch->standard_out;
    first->err.fd = launch->standard_error;
    shim.listener.fd = launch->listener;
    shim.children.fd = launch->runtime.binary ? runtime_exec_watch_children() : -1;
    shim.streams[0].name = "stdout";
    shim.streams[1].name = "stderr";
}

static int prepare(const struct plan *plan, int notify, struct report *report) {
    struct launch *launch = &shim.launch;
    if (launch_start(launch, plan, notify, report) < 0) return -1;
    shim.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (shim.epoll < 0) return fail(report, errno, "create", "epoll");
    if (log_open(&shim.log, launch->state, &launch->shim) < 0)
        return fail(report, errno, "open log in", launch->shim.state_directory);
    /*
     * From now on our children (the execs) are born in the container's pid namespace. ESRCH or EINVAL: its first process
     * has ended already, and no exec will follow. A runtime's program joins it by itself.
     */
    if (!launch->runtime.binary && setns(launch->pidfd, CLONE_NEWPID) < 0 && errno != ESRCH && errno != EINVAL)
        return fail(report, errno, "join", "pid namespace");
    adopt();
    shim.held_ms = monotonic_ms() + HOLD_MS;
    return 0;
}

_Noreturn void shim_run(const struct plan *plan, int notify) {
    struct report report;
    static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    madvise(buffers, sizeof(buffers), MADV_NOHUGEPAGE);
    if (prepare(plan, notify, &report) < 0) {
        launch_undo(&shim.launch);
        send_report(notify, &report, -1);
        _exit(1);
    }
    /* The container stands; it no longer depends on who asked for it. */
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    report = (struct report){.kind = REPORT_STARTED, .value = (uint32_t)shim.launch.pid};
    send_report(notify, &report, -1);
    close(notify);
    loop();
    _exit(0);
}
