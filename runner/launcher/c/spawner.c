/*
 * The spawner: small and resident, because forking from a large process is slow. It takes one request after the other
 * from the runner and gives each to a child of its own, a launch's child becoming the shim. So the spawner itself never
 * waits, and holds nothing but which child works on which request. It ends when the runner closes the connection.
 */
#define _GNU_SOURCE
#include "spawner.h"
#include "cgroup.h"
#include "live_link.h"
#include "mounts.h"
#include "netlink.h"
#include "protocol.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUNNER_FD 3
#define WORKER_FD 4 /* in a child: where it reports */
#define MAX_WORKERS 256

struct worker {
    int socket; /* 0: free */
    uint32_t id;
};

static struct worker workers[MAX_WORKERS];
static _Alignas(4096) uint8_t buffer[MAX_PLAN + FRAME_HEADER];
static size_t buffered;
static int epoll;

static void answer(uint32_t id, const struct report *report) {
    uint8_t frame[FRAME_HEADER + MAX_REPORT];
    size_t size = encode_report(report, frame + FRAME_HEADER);
    put_u32(frame, (uint32_t)size);
    put_u32(frame + 4, report->kind);
    put_u32(frame + 8, id);
    for (size_t done = 0; done < size + FRAME_HEADER;) {
        ssize_t sent = send(RUNNER_FD, frame + done, size + FRAME_HEADER - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) return; /* it is gone; the next read says so */
        if (sent > 0) done += (size_t)sent;
    }
}

/* Kills and removes what the shim of a container left when it died itself. */
static int sweep(struct reader *reader, struct report *report) {
    const char *root = next_string(reader);
    const char *path = next_string(reader);
    uint32_t links = get_u32(reader);
    struct cgroup cgroup;
    if (reader->bad) return fail(report, EINVAL, "decode", "sweep");
    int found = cgroup_open(root, path, &cgroup, report);
    if (found < 0 || (found == 0 && cgroup_remove(&cgroup, report) < 0)) return -1;
    for (uint32_t i = 0; i < links && !reader->bad; i++)
        if (link_remove(next_string(reader), report) < 0) return -1;
    return 0;
}

static int bridge(struct reader *reader, struct report *report) {
    const char *name = next_string(reader);
    uint32_t address = get_u32(reader), prefix = get_u32(reader);
    if (reader->bad || prefix > 32) return fail(report, EINVAL, "decode", "bridge");
    return bridge_ensure(name, address, prefix, report);
}

static void launch(const uint8_t *payload, size_t size, struct report *report) {
    struct plan plan;
    if (check_plan(payload, size, &plan)) shim_run(&plan, WORKER_FD);
    fail(report, EINVAL, "decode", "launch plan");
}

/* The child that works on one request. Only its report socket stays open; it dies with the spawner until it is done. */
static _Noreturn void work(uint32_t kind, const uint8_t *payload, size_t size, int socket, pid_t parent) {
    struct reader reader = {.at = payload, .left = size};
    struct report report = {.kind = REPORT_DONE};
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    dup3(socket, WORKER_FD, O_CLOEXEC);
    close(RUNNER_FD);
    close_range(WORKER_FD + 1, HOST_NAMESPACE_FD - 1, 0);
    close_range(HOST_NAMESPACE_FD + 1, ~0u, 0);
    setsid();
    switch (kind) {
    case REQUEST_LAUNCH:
        prctl(PR_SET_NAME, "berth-shim", 0, 0, 0);
        launch(payload, size, &report);
        break;
    case REQUEST_BRIDGE: bridge(&reader, &report); break;
    case REQUEST_REMOVE_LINK: link_remove_promptly(next_string(&reader), &report); break;
    case REQUEST_SWEEP: sweep(&reader, &report); break;
    case REQUEST_CONNECT_LINK: live_link_connect(&reader, &report); break;
    case REQUEST_DISCONNECT_LINK: live_link_disconnect(&reader, &report); break;
    case REQUEST_SET_GATEWAY: live_link_set_gateway(&reader, &report); break;
    default: fail(&report, ENOSYS, "perform", "unknown request");
    }
    send_report(WORKER_FD, &report, -1);
    _exit(0);
}

static void begin(uint32_t kind, uint32_t id, const uint8_t *payload, size_t size) {
    struct report report;
    int pair[2];
    int slot = 0;
    pid_t self = getpid();
    while (slot < MAX_WORKERS && workers[slot].socket) slot++;
    if (slot == MAX_WORKERS) {
        fail(&report, EAGAIN, "start (too many at once)", "request");
        return answer(id, &report);
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        fail(&report, errno, "create", "pair");
        return answer(id, &report);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)slot + 1};
    /* Before the fork: a worker that could not be heard would leave its request without an answer. */
    pid_t pid = epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event) < 0 ? -1 : fork();
    if (pid == 0) work(kind, payload, size, pair[1], self);
    int error = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        fail(&report, error, "start", "worker");
        return answer(id, &report);
    }
    workers[slot] = (struct worker){.socket = pair[0], .id = id};
}

/* Warnings are passed on; anything else, or the worker's death without a word, is the answer. */
static void hear(struct worker *worker) {
    struct report report;
    int fd;
    if (receive_report(worker->socket, &report, &fd) != 1) fail(&report, ECHILD, "finish (it died)", "launcher process");
    if (fd >= 0) close(fd);
    answer(worker->id, &report);
    if (report.kind == REPORT_WARNING) return;
    close(worker->socket);
    worker->socket = 0;
}

/* False at the end of the connection, or when what came is no frame. */
static bool serve(void) {
    ssize_t got = recv(RUNNER_FD, buffer + buffered, sizeof(buffer) - buffered, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    buffered += (size_t)got;
    size_t start = 0;
    while (buffered - start >= FRAME_HEADER) {
        struct reader header = {.at = buffer + start, .left = FRAME_HEADER};
        uint32_t size = get_u32(&header), kind = get_u32(&header), id = get_u32(&header);
        if (size > MAX_PLAN) return false;
        if (buffered - start < size + FRAME_HEADER) break;
        begin(kind, id, buffer + start + FRAME_HEADER, size);
        start += size + FRAME_HEADER;
    }
    buffered -= start;
    memmove(buffer, buffer + start, buffered);
    return true;
}

/*
 * A mount namespace of our own: what is mounted for a container never shows on the host. The host's is kept by descriptor,
 * for the sources of binds: what is mounted there later shows here only where the host shares its mounts.
 */
static bool separate(void) {
    int host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (host < 0 || dup3(host, HOST_NAMESPACE_FD, O_CLOEXEC) < 0) return false;
    close(host);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0;
}

int spawner_run(void) {
    struct epoll_event events[32];
    signal(SIGCHLD, SIG_IGN); /* workers are told by their sockets; nobody collects their status */
    signal(SIGPIPE, SIG_IGN);
    close_range(RUNNER_FD + 1, ~0u, 0);
    fcntl(RUNNER_FD, F_SETFD, FD_CLOEXEC);
    fcntl(RUNNER_FD, F_SETFL, fcntl(RUNNER_FD, F_GETFL) & ~O_NONBLOCK);
    struct report ready = {.kind = REPORT_DONE};
    if (!separate()) fail(&ready, errno, "separate", "mount namespace");
    answer(0, &ready);
    if (ready.kind == REPORT_FAILED) return 1;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event runner = {.events = EPOLLIN, .data.u32 = 0};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, RUNNER_FD, &runner) < 0) return 1;
    for (;;) {
        int count = epoll_wait(epoll, events, ARRAY_SIZE(events), -1);
        for (int i = 0; i < count; i++) {
            uint32_t slot = events[i].data.u32;
            if (slot == 0 && !serve()) return 0;
            if (slot > 0 && workers[slot - 1].socket) hear(&workers[slot - 1]);
        }
    }
}
