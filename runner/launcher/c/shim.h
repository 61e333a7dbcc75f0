/* The state of one shim: its container's first process, the execs in it, and the connections of its clients. */
#ifndef BERTH_SHIM_H
#define BERTH_SHIM_H

#include "exec_cgroup.h"
#include "log.h"
#include "protocol.h"
#include "setup.h"

#define MAX_PROCESSES 64 /* the first is the container's */
#define MAX_CONNECTIONS 96
#define MAX_LEFT 64 /* cgroups of execs that are over but for what they left running; more stay until the container ends */
#define READ_SIZE 16384
/* What can still be in the pipes when the container has ended: it must fit into every attached client's buffer. */
#define PIPE_ROOM (2 * 65536 + 4096)
#define ATTACH_ROOM (PIPE_ROOM + 2 * READ_SIZE)
#define IN_SIZE (256 * 1024)
#define OUT_SIZE (PIPE_ROOM + 128 * 1024)
/*
 * The container waits for a slow attached client, however long, as it would for a slow reader of a pipe. But once a stop
 * was asked for, or the container has ended, a client that takes nothing for so long is dropped: it delays neither.
 */
#define STALL_MS 2000
/* How long a new container's output and end are kept for the runner that launched it, so that who attaches misses none. */
#define HOLD_MS 3000

enum source_kind { SOURCE_LISTENER, SOURCE_CONNECTION, SOURCE_PIDFD, SOURCE_SYNC, SOURCE_IN, SOURCE_OUT, SOURCE_ERR, SOURCE_LEFT, SOURCE_CHILDREN };

/* A descriptor in the epoll set, and for what. */
struct source {
    int fd;
    uint32_t events;
};

struct process {
    bool used, started, reached, exited, terminal;
    pid_t pid;
    int code;
    int connection; /* the session that asked for it, -1: none (any more) */
    struct source pidfd, sync, in, out, err;
    struct exec_cgroup cgroup; /* of an exec */
    /* Of an exec by an OCI runtime: `sync` is the pidfd of the runtime's process then. */
    uint32_t number, rows, columns;
    int console; /* where the runtime sends the pty, or -1 */
};

struct left_cgroup {
    bool used;
    struct exec_cgroup cgroup;
    struct source events;
};

enum connection_kind { CONNECTION_CONTROL, CONNECTION_EXEC, CONNECTION_ATTACH };

/* Apart from the connections and page-aligned: only pages that were used exist, and a closed connection's are given back. */
struct buffers {
    _Alignas(4096) uint8_t in[IN_SIZE];
    _Alignas(4096) uint8_t out[OUT_SIZE];
};

struct connection {
    struct source source;
    uint8_t *in, *out;
    bool used, greeted, blocked, closing;
    bool lingering; /* all is sent; closed when the client does, or after STALL_MS */
    enum connection_kind kind;
    int process; /* of a session */
    uint32_t request;
    size_t in_length, stdin_done, out_start, out_length;
    int64_t progress_ms;
};

struct shim {
    struct launch launch;
    struct log log;
    struct log_stream streams[2];
    struct process processes[MAX_PROCESSES];
    struct connection connections[MAX_CONNECTIONS];
    struct left_cgroup left[MAX_LEFT];
    struct restrictions unrestricted; /* of privileged execs */
    struct source listener;
    struct source children; /* tells of ends of processes that a runtime made, else -1 */
    int epoll;
    int64_t held_ms; /* until when the first process waits for a hello, monotonic; 0: it does not */
    int64_t hurry_ms; /* since when a stop is wanted, monotonic; 0: none was asked for */
    int64_t stop_ms; /* when to kill, monotonic; 0: no stop is under way */
    bool ended, oom_killed;
    int unsynced_exit; /* exit.json, told but not yet durable; 0: none */
    int64_t ended_ms, finished_ms; /* monotonic; and since 1970 */
};

extern struct shim shim;
extern struct buffers buffers[MAX_CONNECTIONS];

int64_t monotonic_ms(void);

/* shim.c */
_Noreturn void shim_run(const struct plan *plan, int notify);

/* process.c */
void process_reset(struct process *process);
void process_close_streams(struct process *process);
/* May more be read from its streams? An exec waits for its own client, the first process for every attached one. */
bool process_has_room(const struct process *process);
void process_pump(struct process *process, bool all);
void process_sync(struct process *process);
void process_reaped(struct process *process);
int process_signal(const struct process *process, uint32_t signal);
/* Ends an exec with all that came from it, also when its first process has ended before. */
int process_kill(uint32_t pid);
void left_cgroup_changed(struct left_cgroup *left);
int process_resize(const struct process *process, uint32_t rows, uint32_t columns);
/* How a runtime's exec goes on, see runtime_exec.c. */
void process_exec_started(struct process *process);
void process_exec_failed(struct process *process, const struct report *report);
void process_finish_exec(struct process *process);
/* Out of the epoll set, and closed. */
void close_source(struct source *source);

/* exec.c */
int process_exec(int connection, const uint8_t *payload, size_t size, struct report *report);

/* connection.c */
void connection_accept(void);
void connection_close(struct connection *connection);
void connection_read(struct connection *connection);
void connection_handle(struct connection *connection);
void connection_flush(struct connection *connection);
void connection_send(struct connection *connection, uint32_t kind, uint32_t id, const void *payload, size_t size);
void connection_send_exit(struct connection *connection, const struct process *process);
void connection_send_failure(struct connection *connection, uint32_t id, const struct report *report);
size_t connection_room(const struct connection *connection);

#endif
