/* How a failure travels: as (operation, object, errno), one SEQPACKET message. */
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int fail_as(struct report *report, enum category category, int error, const char *operation, const char *object) {
    memset(report, 0, sizeof(*report));
    report->kind = REPORT_FAILED;
    report->category = category;
    report->error = error;
    snprintf(report->operation, sizeof(report->operation), "%s", operation);
    snprintf(report->object, sizeof(report->object), "%s", object);
    return -1;
}

int fail(struct report *report, int error, const char *operation, const char *object) {
    return fail_as(report, CATEGORY_GENERAL, error, operation, object);
}

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

bool send_report(int socket, const struct report *report, int fd) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)report, .iov_len = sizeof(*report)};
    union control control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof(control.space);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

int receive_report(int socket, struct report *report, int *fd) {
    struct iovec part = {.iov_base = report, .iov_len = sizeof(*report)};
    union control control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)};
    ssize_t size;
    do {
        size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        /* ECONNRESET is told once, when the other end has gone with something of ours unread; what it said follows. */
    } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
    *fd = -1;
    if (size < 0) return errno == EAGAIN ? -1 : 0;
    if (size != (ssize_t)sizeof(*report)) return 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd, CMSG_DATA(header), sizeof(int));
    report->operation[sizeof(report->operation) - 1] = 0;
    report->object[sizeof(report->object) - 1] = 0;
    return 1;
}

static size_t put_text(uint8_t *at, const char *text) {
    size_t length = strlen(text);
    put_u32(at, (uint32_t)length);
    memcpy(at + 4, text, length + 1);
    return length + 5;
}

size_t encode_report(const struct report *report, uint8_t *at) {
    put_u32(at, report->category);
    put_u32(at + 4, (uint32_t)report->error);
    put_u32(at + 8, report->value);
    size_t length = 12 + put_text(at + 12, report->operation);
    return length + put_text(at + length, report->object);
}
