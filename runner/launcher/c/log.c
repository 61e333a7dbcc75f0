/* Writes the log. A disk that is full loses lines, and never stops the container. */
#define _GNU_SOURCE
#include "log.h"
#include "setup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int open_file(struct log *log) {
    struct stat status;
    log->fd = openat(log->directory, LOG_NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->fd < 0) return -1;
    log->size = fstat(log->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
    return 0;
}

#define NAME_SIZE 64

/* Takes away a rotated file, in both of its forms: the runner, which compresses, looks for the plain one last. */
static void drop(const struct log *log, uint64_t number) {
    static const char *const suffixes[] = {"", LOG_SUFFIX};
    char name[NAME_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        snprintf(name, sizeof(name), LOG_NAME ".%llu%s", (unsigned long long)number, suffixes[i]);
        unlinkat(log->directory, name, 0);
    }
}

/* The number in the name of a rotated file, compressed or not; 0 when it is no such name. */
static uint64_t number_of(const char *name) {
    const size_t prefix = sizeof(LOG_NAME ".") - 1;
    char *end;
    if (strncmp(name, LOG_NAME ".", prefix) != 0 || name[prefix] < '1' || name[prefix] > '9') return 0;
    errno = 0;
    uint64_t number = strtoull(name + prefix, &end, 10);
    return errno == 0 && (*end == 0 || strcmp(end, LOG_SUFFIX) == 0) ? number : 0;
}

/* Goes on with the numbers where the last shim of this container ended, and takes away what a kill left too much. */
static int find_number(struct log *log) {
    DIR *listing = fdopendir(openat(log->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!listing) return -1;
    log->number = 1;
    for (struct dirent *entry; (entry = readdir(listing));) {
        uint64_t number = number_of(entry->d_name);
        if (number >= log->number) log->number = number + 1;
    }
    rewinddir(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        uint64_t number = number_of(entry->d_name);
        if (number > 0 && log->number - number >= log->max_files) drop(log, number);
    }
    closedir(listing);
    return 0;
}

int log_open(struct log *log, int directory, const struct shim_operation *shim) {
    log->directory = directory;
    log->max_bytes = shim->log_bytes;
    log->max_files = shim->log_files ? shim->log_files : 1;
    log->format = (enum log_format)shim->log_format;
    log->attributes = shim->log_attributes;
    log->fd = -1;
    if (log->format == LOG_NONE) return 0;
    return find_number(log) < 0 ? -1 : open_file(log);
}

static void flush(struct log *log) {
    size_t done = 0;
    while (done < log->used && log->fd >= 0) {
        ssize_t written = write(log->fd, log->out + done, log->used - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        done += (size_t)written;
    }
    if (done == log->used) {
        log->size += done;
    } else if (log->fd >= 0) {
        /* Half an entry would spoil the next one too, so it is taken back, also when its head was written before. */
        log->size = log->entry;
        (void)!ftruncate(log->fd, (off_t)log->size);
        log->torn = true;
    }
    log->used = 0;
}

/*
 * The file gets the next number, which is its name for good, and a new one begins; with one file kept it starts anew. Where
 * the name cannot be given (a full disk), the file grows, and the next entry tries again.
 */
static void rotate(struct log *log) {
    char name[NAME_SIZE];
    snprintf(name, sizeof(name), LOG_NAME ".%llu", (unsigned long long)log->number);
    if (log->max_files == 1)
        unlinkat(log->directory, LOG_NAME, 0);
    else if (renameat(log->directory, LOG_NAME, log->directory, name) == 0)
        log->number++;
    else if (errno != ENOENT)
        return;
    if (log->fd >= 0) close(log->fd);
    open_file(log);
    if (log->number > log->max_files) drop(log, log->number - log->max_files);
}

static void put(struct log *log, const char *text, size_t length) {
    if (log->torn) return;
    memcpy(log->out + log->used, text, length);
    log->used += length;
}

/* Length of the valid UTF-8 sequence at `at`, 0 if there is none (Unicode 15, table 3-7). */
static size_t sequence_length(const unsigned char *at, size_t left) {
    unsigned char first = at[0];
    size_t length = first < 0x80 ? 1 : first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || length > left) return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) || (first == 0xf0 && at[1] < 0x90) ||
        (first == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

/* One character of a JSON string (RFC 8259, section 7), in at most 6 bytes; returns how many bytes it took. */
static size_t put_character(struct log *log, const unsigned char *at, size_t left) {
    char escape[8];
    size_t length = sequence_length(at, left);
    if (length == 0) {
        put(log, "\\ufffd", 6);
        return 1;
    }
    if (at[0] == '\n')
        put(log, "\\n", 2);
    else if (at[0] == '"' || at[0] == '\\')
        put(log, (char[]){'\\', (char)at[0]}, 2);
    else if (at[0] < 0x20 || at[0] == 0x7f)
        put(log, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", at[0]));
    else
        put(log, (const char *)at, length);
    return length;
}

/* As `put`, for what may be longer than the room that is left. */
static void put_long(struct log *log, const char *text, size_t length) {
    while (length > 0) {
        if (log->used == sizeof(log->out)) flush(log);
        size_t room = sizeof(log->out) - log->used, part = length < room ? length : room;
        put(log, text, part);
        if (log->torn) return;
        text += part;
        length -= part;
    }
}

static void put_json(struct log *log, const struct log_stream *stream) {
    static const char head[] = "{\"log\":\"", attributes[] = ",\"attrs\":";
    char tail[96];
    struct timespec now;
    struct tm parts;
    put(log, head, sizeof(head) - 1);
    for (size_t i = 0; i < stream->length;) {
        if (log->used + 128 > sizeof(log->out)) flush(log);
        i += put_character(log, (const unsigned char *)stream->line + i, stream->length - i);
    }
    put_long(log, tail, (size_t)snprintf(tail, sizeof(tail), "\",\"stream\":\"%s\"", stream->name));
    if (*log->attributes) {
        put_long(log, attributes, sizeof(attributes) - 1);
        put_long(log, log->attributes, strlen(log->attributes));
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    int length = snprintf(tail, sizeof(tail), ",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ\"}\n", parts.tm_year + 1900,
                          parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, now.tv_nsec);
    put_long(log, tail, (size_t)length);
}

static void put_local(struct log *log, const struct log_stream *stream) {
    char head[40];
    struct timespec now;
    bool whole = stream->line[stream->length - 1] == '\n';
    char kind = strcmp(stream->name, "stdout") == 0 ? 'o' : 'e';
    clock_gettime(CLOCK_REALTIME, &now);
    int length = snprintf(head, sizeof(head), "%c%lld%09ld ", whole ? kind : kind - 'a' + 'A', (long long)now.tv_sec,
                          now.tv_nsec);
    put_long(log, head, (size_t)length);
    put_long(log, stream->line, stream->length - (whole ? 1 : 0));
    put_long(log, "\n", 1);
}

/* One entry. An entry of a long line is written in several parts, but counted as one when rotating. */
static void put_entry(struct log *log, struct log_stream *stream) {
    if (log->fd < 0) {
        open_file(log); /* after a rotation that could not: to rotate again would only lose the older files */
    } else if (log->max_bytes && log->size + log->used >= log->max_bytes) {
        flush(log);
        rotate(log);
    }
    if (log->used + stream->length * 6 + 128 > sizeof(log->out)) flush(log);
    if (log->used == 0) log->entry = log->size; /* else the end of another waits in the buffer with this one */
    log->torn = false;
    if (log->format == LOG_LOCAL)
        put_local(log, stream);
    else
        put_json(log, stream);
    stream->length = 0;
}

/* Bytes at the end of a full line that begin a character whose rest is still to come. */
static size_t incomplete_tail(const struct log_stream *stream) {
    const unsigned char *line = (const unsigned char *)stream->line;
    for (size_t back = 1; back <= 3 && back < stream->length; back++) {
        unsigned char c = line[stream->length - back];
        if ((c & 0xc0) == 0x80) continue;
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return need > back ? back : 0;
    }
    return 0;
}

void log_write(struct log *log, struct log_stream *stream, const char *bytes, size_t size) {
    if (log->format == LOG_NONE) return;
    while (size > 0) {
        size_t room = LOG_LINE - stream->length;
        size_t part = size < room ? size : room;
        const char *end = memchr(bytes, '\n', part);
        if (end) part = (size_t)(end - bytes) + 1;
        memcpy(stream->line + stream->length, bytes, part);
        stream->length += part;
        bytes += part;
        size -= part;
        if (end) {
            put_entry(log, stream);
        } else if (stream->length == LOG_LINE) {
            size_t tail = incomplete_tail(stream);
            stream->length -= tail;
            put_entry(log, stream);
            memmove(stream->line, stream->line + LOG_LINE - tail, tail);
            stream->length = tail;
        }
    }
    flush(log);
}

void log_end(struct log *log, struct log_stream *stream) {
    if (stream->length > 0) put_entry(log, stream);
    flush(log);
}
