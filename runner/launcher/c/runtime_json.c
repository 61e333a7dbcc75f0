/* A document is written as it goes, through one buffer; texts of the container are escaped, nothing is parsed. */
#define _GNU_SOURCE
#include "runtime_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct writer {
    int fd;
    bool bad;
    size_t used;
    char text[4096];
};

static void flush(struct writer *to) {
    for (size_t done = 0; done < to->used && !to->bad;) {
        ssize_t written = write(to->fd, to->text + done, to->used - done);
        if (written > 0) done += (size_t)written;
        if (written < 0 && errno != EINTR) to->bad = true;
    }
    to->used = 0;
}

static void put(struct writer *to, const char *bytes, size_t size) {
    while (size > 0) {
        if (to->used == sizeof(to->text)) flush(to);
        size_t part = sizeof(to->text) - to->used;
        if (part > size) part = size;
        memcpy(to->text + to->used, bytes, part);
        to->used += part;
        bytes += part;
        size -= part;
    }
}

static void put_text(struct writer *to, const char *text) { put(to, text, strlen(text)); }

static void put_number(struct writer *to, uint32_t number) {
    char text[16];
    put(to, text, (size_t)snprintf(text, sizeof(text), "%u", number));
}

/* The bytes of other alphabets stay: they are UTF-8, as what came from the runner is, or else no name of anything. */
static void put_string(struct writer *to, const char *text) {
    put(to, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char escaped[8];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            put(to, text, 1);
        else
            put(to, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", c));
    }
    put(to, "\"", 1);
}

static void put_strings(struct writer *to, struct strings strings) {
    for (uint32_t i = 0; i < strings.count; i++) {
        if (i) put(to, ",", 1);
        put_string(to, next_string(&strings.reader));
    }
}

static bool has_home(struct strings environment) {
    for (uint32_t i = 0; i < environment.count; i++)
        if (strncmp(next_string(&environment.reader), "HOME=", 5) == 0) return true;
    return false;
}

static void put_environment(struct writer *to, struct strings environment, const char *home) {
    char text[sizeof("HOME=") + sizeof(((struct identity *)0)->home)];
    put_text(to, ",\"env\":[");
    put_strings(to, environment);
    if (!has_home(environment)) {
        snprintf(text, sizeof(text), "HOME=%s", home);
        if (environment.count) put(to, ",", 1);
        put_string(to, text);
    }
    put(to, "]", 1);
}

static void put_user(struct writer *to, const struct identity *identity) {
    put_text(to, ",\"user\":{\"uid\":");
    put_number(to, identity->uid);
    put_text(to, ",\"gid\":");
    put_number(to, identity->gid);
    put_text(to, ",\"additionalGids\":[");
    for (size_t i = 0; i < identity->group_count; i++) {
        if (i) put(to, ",", 1);
        put_number(to, identity->groups[i]);
    }
    put_text(to, "]}");
}

static void put_process(struct writer *to, const struct runtime_process *process) {
    put_text(to, process->terminal ? "{\"terminal\":true" : "{\"terminal\":false");
    put_user(to, process->identity);
    put_text(to, ",\"cwd\":");
    put_string(to, process->cwd);
    put_text(to, ",\"args\":[");
    put_strings(to, process->exec.arguments);
    put(to, "]", 1);
    put_environment(to, process->exec.environment, process->identity->home);
    put(to, ",", 1);
    put_text(to, process->rest);
    put(to, "}", 1);
}

int runtime_json_write(int directory, const char *name, const struct strings *config,
                       const struct runtime_process *process, struct report *report) {
    static struct writer to;
    to = (struct writer){.fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (to.fd < 0) return fail(report, errno, "make", name);
    if (config) {
        struct strings parts = *config;
        for (uint32_t i = 0; i < parts.count; i++) put_text(&to, next_string(&parts.reader));
        put_text(&to, ",\"process\":");
    }
    put_process(&to, process);
    if (config) put(&to, "}", 1);
    flush(&to);
    int error = errno;
    close(to.fd);
    return to.bad ? fail(report, error, "write", name) : 0;
}
