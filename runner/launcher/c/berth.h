/*
 * What the launcher's files share: the report that travels between its processes, and the few effects that more than
 * one of them needs. Functions return 0 (or an fd) on success; on failure they fill a report and return -1.
 */
#ifndef BERTH_H
#define BERTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Longest plan or request, in bytes. Every buffer that holds one is of this size and is never grown. */
#define MAX_PLAN (1u << 20)

enum report_kind {
    REPORT_WARNING = 1, /* something was refused that a container can do without */
    REPORT_FAILED,      /* nothing was made, or all of it was removed again */
    REPORT_STARTED,     /* value: the host pid */
    REPORT_DONE,        /* a request that makes no process succeeded */
    REPORT_EXEC,        /* the child is about to call execve */
    REPORT_TERMINAL,    /* the pty's master accompanies the message */
    REPORT_MOUNT        /* to the child: a detached mount accompanies the message */
};

enum category { CATEGORY_GENERAL, CATEGORY_NOT_FOUND, CATEGORY_NOT_EXECUTABLE, CATEGORY_USER, CATEGORY_UNSUPPORTED, CATEGORY_RUNTIME };

/* One message of a SEQPACKET socket pair between child, shim and spawner. */
struct report {
    uint32_t kind;
    uint32_t category;
    int32_t error;
    uint32_t value;
    char operation[48];
    char object[256];
};

/* report.c */
int fail(struct report *report, int error, const char *operation, const char *object);
int fail_as(struct report *report, enum category category, int error, const char *operation, const char *object);
/* False when the other end is gone, which most callers need not know. */
bool send_report(int socket, const struct report *report, int fd);
/* 1: a report (and perhaps *fd), 0: the other end is closed, -1: nothing now. */
int receive_report(int socket, struct report *report, int *fd);

/* files.c: everything beneath a directory that is not trusted. */
int open_beneath(int root, const char *path, uint64_t flags, uint64_t resolve);
int open_or_make_directory(int root, const char *path);
int open_or_make_file(int root, const char *path);
int open_parent(int root, const char *path, const char **name);
int write_file_at(int directory, const char *name, const char *value);
ssize_t read_whole(int fd, char *buffer, size_t size);
bool is_null_device(int fd);

#endif
