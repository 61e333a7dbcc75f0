/* The container's log: Docker's json-file lines, rotated by size. */
#ifndef BERTH_LOG_H
#define BERTH_LOG_H

#include "berth.h"

/* Longest part of a line in one entry, as Docker has it; a longer line becomes several entries. */
#define LOG_LINE 16384
#define LOG_OUT 32768

struct log_stream {
    const char *name;
    size_t length;
    char line[LOG_LINE];
};

struct log {
    int directory, fd;
    uint64_t size, max_bytes;
    uint32_t max_files;
    uint64_t entry; /* where in the file the last entry begins */
    bool torn;      /* a part of it could not be written: the rest is discarded */
    size_t used;
    char out[LOG_OUT];
};

int log_open(struct log *log, int directory, uint64_t max_bytes, uint32_t max_files);
/* Takes bytes as they came from the stream; complete lines are in the file when it returns. */
void log_write(struct log *log, struct log_stream *stream, const char *bytes, size_t size);
/* Writes an unfinished last line. */
void log_end(struct log *log, struct log_stream *stream);

#endif
