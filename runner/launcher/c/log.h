/*
 * The container's log. By size it is rotated to container.log.1, .2, .3 …: numbers only grow, so that a name means the same
 * bytes for as long as it is there. Its lines are Docker's json-file lines, or (LOG_LOCAL) shorter ones of our own: `o` for
 * stdout, `e` for stderr, in capitals for a piece of a line whose end is still to come; nanoseconds since 1970 in decimal; a
 * space; the bytes as they came, without the line's end. `runner/container/log-entry.ts` reads both.
 */
#ifndef BERTH_LOG_H
#define BERTH_LOG_H

#include "plan.h"

enum log_format { LOG_JSON, LOG_LOCAL, LOG_NONE };

/* Longest part of a line in one entry, as Docker has it; a longer line becomes several entries. */
#define LOG_LINE 16384
#define LOG_OUT 32768

/* What the runner adds to the name of a rotated file that it has compressed. */
#define LOG_SUFFIX ".gz"

struct log_stream {
    const char *name;
    size_t length;
    char line[LOG_LINE];
};

struct log {
    int directory, fd;
    uint64_t size, max_bytes;
    uint32_t max_files; /* the one that is written among them */
    uint64_t number;    /* that the file which is written gets when it is rotated; never used again */
    enum log_format format;
    const char *attributes;
    uint64_t entry; /* where in the file the first entry begins that is not whole in it yet */
    bool torn;      /* a part of it could not be written: the rest is discarded */
    size_t used;
    char out[LOG_OUT];
};

int log_open(struct log *log, int directory, const struct shim_operation *shim);
/* Takes bytes as they came from the stream; complete lines are in the file when it returns. */
void log_write(struct log *log, struct log_stream *stream, const char *bytes, size_t size);
/* Writes an unfinished last line. */
void log_end(struct log *log, struct log_stream *stream);

#endif
