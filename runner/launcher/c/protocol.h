/*
 * Messages between the runner and the spawner (its descriptor 3) and between runner and shim (a unix stream socket): u32
 * length of the payload, u32 kind, u32 id, payload. An answer bears the id of its request. `runner/launcher/wire.ts` is
 * the other side.
 */
#ifndef BERTH_PROTOCOL_H
#define BERTH_PROTOCOL_H

#include "berth.h"

#define FRAME_HEADER 12u

enum spawner_request {
    REQUEST_LAUNCH = 1,
    REQUEST_BRIDGE,
    REQUEST_REMOVE_LINK,
    REQUEST_SWEEP,
    REQUEST_CONNECT_LINK,   /* u32 pid, then a link and its address as in a plan */
    REQUEST_DISCONNECT_LINK, /* u32 pid, name in the container */
    REQUEST_SET_GATEWAY     /* u32 pid, name in the container, gateway */
};

/* Answers of the spawner are `enum report_kind`: u32 category, s32 errno, u32 value, operation, object. */

enum shim_request {
    SHIM_HELLO = 1,   /* -> SHIM_INFO, and SHIM_EXIT when it has ended */
    SHIM_SIGNAL,      /* u32 signal -> SHIM_OK */
    SHIM_STOP,        /* u32 signal, u32 milliseconds -> SHIM_OK */
    SHIM_RESIZE,      /* u32 rows, u32 columns -> SHIM_OK */
    SHIM_EXEC,        /* makes the connection a session: -> SHIM_STARTED or SHIM_FAILED */
    SHIM_ATTACH,      /* makes the connection a session: -> SHIM_STARTED */
    SHIM_STDIN,       /* bytes; sessions only, not answered */
    SHIM_STDIN_END,
    SHIM_EXEC_SIGNAL, /* u32 pid, u32 signal -> SHIM_OK */
    SHIM_EXEC_RESIZE, /* u32 pid, u32 rows, u32 columns -> SHIM_OK */
    SHIM_EXEC_KILL    /* u32 pid -> SHIM_OK; the process and all that came from it */
};

/* The fourth number of an exec, before its operations; the first three: terminal, rows, columns. */
enum exec_flag { EXEC_STDIN = 1, EXEC_PRIVILEGED = 2 };

enum shim_answer {
    SHIM_OK = 1,
    SHIM_FAILED, /* u32 category, s32 errno, u32 0, operation, object */
    SHIM_INFO,   /* u32 pid */
    SHIM_STARTED, /* u32 pid */
    SHIM_STDOUT,
    SHIM_STDERR,
    SHIM_EXIT /* u32 code, u32 OOM killed, u64 milliseconds since 1970 */
};

static inline void put_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

/* report.c: the payload of a report; returns its length, at most MAX_REPORT. */
#define MAX_REPORT 400u
size_t encode_report(const struct report *report, uint8_t *at);

#endif
