/*
 * The shim's clients. A connection is for control, or becomes the session of one exec or of an attach. Its buffers are
 * bounded: what does not fit is not read, so a slow client delays its own exec; an attached one the container, as long as that may run on (STALL_MS).
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void connection_accept(void) {
    int fd = accept4(shim.listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    struct ucred peer;
    socklen_t size = sizeof(peer);
    bool trusted = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
    for (int i = 0; trusted && i < MAX_CONNECTIONS; i++) {
        struct connection *connection = &shim.connections[i];
        if (connection->used) continue;
        connection->used = true;
        connection->in = buffers[i].in;
        connection->out = buffers[i].out;
        connection->source.fd = fd;
        connection->process = -1;
        return;
    }
    close(fd);
}

/* Ends the session: an exec's terminal hangs up, its pipes close; it is still reaped. */
void connection_close(struct connection *connection) {
    if (connection->kind == CONNECTION_EXEC && connection->process > 0) {
        struct process *process = &shim.processes[connection->process];
        process->connection = -1;
        process_close_streams(process);
    }
    if (connection->source.events) epoll_ctl(shim.epoll, EPOLL_CTL_DEL, connection->source.fd, NULL);
    close(connection->source.fd);
    madvise(&buffers[connection - shim.connections], sizeof(buffers[0]), MADV_DONTNEED);
    memset(connection, 0, sizeof(*connection));
}

size_t connection_room(const struct connection *connection) { return OUT_SIZE - connection->out_length; }

void connection_flush(struct connection *connection) {
    while (connection->out_length > 0) {
        ssize_t sent = send(connection->source.fd, connection->out + connection->out_start, connection->out_length,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) return connection_close(connection);
        connection->out_start += (size_t)sent;
        connection->out_length -= (size_t)sent;
        connection->progress_ms = monotonic_ms();
    }
    connection->out_start = 0;
    if (!connection->closing || connection->lingering) return;
    /* Not closed yet: a client that is just writing would be told of that before it has read what was sent last. */
    shutdown(connection->source.fd, SHUT_WR);
    connection->lingering = true;
    connection->progress_ms = monotonic_ms();
}

/* Callers that send much look at connection_room before; a client that leaves no room even for answers is dropped. */
void connection_send(struct connection *connection, uint32_t kind, uint32_t id, const void *payload, size_t size) {
    if (!connection->used) return;
    if (connection_room(connection) < size + FRAME_HEADER) return connection_close(connection);
    if (connection->out_start + connection->out_length + size + FRAME_HEADER > OUT_SIZE) {
        memmove(connection->out, connection->out + connection->out_start, connection->out_length);
        connection->out_start = 0;
    }
    if (connection->out_length == 0) connection->progress_ms = monotonic_ms();
    uint8_t *at = connection->out + connection->out_start + connection->out_length;
    put_u32(at, (uint32_t)size);
    put_u32(at + 4, kind);
    put_u32(at + 8, id);
    if (size) memcpy(at + FRAME_HEADER, payload, size);
    connection->out_length += size + FRAME_HEADER;
}

void connection_send_exit(struct connection *connection, const struct process *process) {
    uint8_t payload[16];
    bool first = process == &shim.processes[0];
    put_u32(payload, (uint32_t)process->code);
    put_u32(payload + 4, first && shim.oom_killed);
    put_u32(payload + 8, (uint32_t)shim.finished_ms);
    put_u32(payload + 12, (uint32_t)(shim.finished_ms >> 32));
    connection_send(connection, SHIM_EXIT, 0, payload, sizeof(payload));
}

void connection_send_failure(struct connection *connection, uint32_t id, const struct report *report) {
    uint8_t payload[MAX_REPORT];
    connection_send(connection, SHIM_FAILED, id, payload, encode_report(report, payload));
}

static void answer(struct connection *connection, uint32_t id, int result, const char *operation) {
    struct report report;
    if (result >= 0) return connection_send(connection, SHIM_OK, id, NULL, 0);
    fail(&report, errno, operation, "process");
    connection_send_failure(connection, id, &report);
}

static void send_pid(struct connection *connection, uint32_t kind, uint32_t id) {
    uint8_t pid[4];
    put_u32(pid, (uint32_t)shim.processes[0].pid);
    connection_send(connection, kind, id, pid, sizeof(pid));
    connection->greeted = true;
    if (shim.ended) connection_send_exit(connection, &shim.processes[0]);
}

static void stop(struct connection *connection, uint32_t id, uint32_t signal, uint32_t timeout_ms) {
    int result = process_signal(&shim.processes[0], signal);
    if (result == 0) {
        shim.stop_ms = monotonic_ms() + (timeout_ms ? timeout_ms : 1);
        if (!shim.hurry_ms) shim.hurry_ms = monotonic_ms();
    }
    answer(connection, id, result, "stop");
}

static void attach(struct connection *connection, uint32_t id) {
    connection->kind = CONNECTION_ATTACH;
    connection->process = 0;
    send_pid(connection, SHIM_STARTED, id);
}

static void exec(struct connection *connection, uint32_t id, const uint8_t *payload, size_t size) {
    struct report report;
    connection->request = id;
    connection->kind = CONNECTION_EXEC;
    if (process_exec((int)(connection - shim.connections), payload, size, &report) == 0) return;
    connection_send_failure(connection, id, &report);
    connection->closing = true;
}

static struct process *find_process(uint32_t pid) {
    static struct process none;
    for (int i = 1; i < MAX_PROCESSES; i++)
        if (shim.processes[i].used && shim.processes[i].pid == (pid_t)pid) return &shim.processes[i];
    return &none;
}

static struct process *session_process(const struct connection *connection) {
    return connection->kind != CONNECTION_CONTROL && connection->process >= 0 ? &shim.processes[connection->process]
                                                                              : NULL;
}

static void close_stdin(struct process *process) {
    if (!process || process->terminal || process->in.fd < 0) return;
    if (process->in.events) epoll_ctl(shim.epoll, EPOLL_CTL_DEL, process->in.fd, NULL);
    close(process->in.fd);
    process->in = (struct source){.fd = -1};
}

/* False when the process takes no more for now: the frame stays in the buffer, and nothing after it is looked at. */
static bool feed_stdin(struct connection *connection, const uint8_t *bytes, size_t size) {
    struct process *process = session_process(connection);
    if (connection->kind == CONNECTION_EXEC && process && !process->started) return false;
    while (process && process->in.fd >= 0 && connection->stdin_done < size) {
        ssize_t written = write(process->in.fd, bytes + connection->stdin_done, size - connection->stdin_done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) return false;
        if (written < 0) break; /* it reads no more: the rest is discarded */
        connection->stdin_done += (size_t)written;
    }
    connection->stdin_done = 0;
    return true;
}

/* One request; false when it must wait. */
static bool handle(struct connection *connection, uint32_t kind, uint32_t id, const uint8_t *payload, size_t size) {
    struct reader reader = {.at = payload, .left = size};
    struct process *first = &shim.processes[0];
    uint32_t a, b, c;
    if ((kind == SHIM_ATTACH || kind == SHIM_EXEC) && connection->kind != CONNECTION_CONTROL)
        return connection->closing = true;
    switch (kind) {
    case SHIM_HELLO:
        shim.held_ms = 0;
        send_pid(connection, SHIM_INFO, id);
        return true;
    case SHIM_ATTACH: attach(connection, id); return true;
    case SHIM_EXEC: exec(connection, id, payload, size); return true;
    case SHIM_STDIN: return feed_stdin(connection, payload, size);
    case SHIM_STDIN_END: close_stdin(session_process(connection)); return true;
    default: break;
    }
    a = get_u32(&reader);
    if (kind == SHIM_EXEC_KILL) {
        if (reader.bad) return connection->closing = true;
        answer(connection, id, process_kill(a), "kill");
        return true;
    }
    if (kind == SHIM_SIGNAL) {
        answer(connection, id, process_signal(first, a), "signal");
        return true;
    }
    b = get_u32(&reader);
    c = kind == SHIM_EXEC_RESIZE ? get_u32(&reader) : 0;
    if (reader.bad) return connection->closing = true;
    switch (kind) {
    case SHIM_STOP: stop(connection, id, a, b); break;
    case SHIM_RESIZE: answer(connection, id, process_resize(first, a, b), "resize"); break;
    case SHIM_EXEC_SIGNAL: answer(connection, id, process_signal(find_process(a), b), "signal"); break;
    case SHIM_EXEC_RESIZE: answer(connection, id, process_resize(find_process(a), b, c), "resize"); break;
    default: connection->closing = true;
    }
    return true;
}

/* Handles every complete frame of the buffer. */
void connection_handle(struct connection *connection) {
    size_t start = 0;
    connection->blocked = false;
    while (connection->used && !connection->closing && connection->in_length - start >= FRAME_HEADER) {
        struct reader header = {.at = connection->in + start, .left = FRAME_HEADER};
        uint32_t size = get_u32(&header), kind = get_u32(&header), id = get_u32(&header);
        if (size > IN_SIZE - FRAME_HEADER) return connection_close(connection);
        if (connection->in_length - start < size + FRAME_HEADER) break;
        if (!handle(connection, kind, id, connection->in + start + FRAME_HEADER, size)) {
            connection->blocked = true;
            break;
        }
        start += size + FRAME_HEADER;
    }
    if (!connection->used || start == 0) return;
    connection->in_length -= start;
    memmove(connection->in, connection->in + start, connection->in_length);
}

void connection_read(struct connection *connection) {
    ssize_t size = recv(connection->source.fd, connection->in + connection->in_length, IN_SIZE - connection->in_length,
                        MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return connection_close(connection);
    connection->in_length += (size_t)size;
    connection_handle(connection);
}
