/* One run of an OCI runtime's program in the bundle, and what it leaves there: a log, a process, a pty. */
#define _GNU_SOURCE
#include "runtime_program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERMINAL_MS 2000
#define MAX_ARGUMENTS 24

static _Noreturn void run_child(const struct launch *launch, char *const arguments[], const int stdio[3], pid_t parent) {
    static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(125);
    for (int number = 1; number < 65; number++) sigaction(number, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        if (dup2(stdio[i] < 0 ? null : stdio[i], i) < 0) _exit(125);
    if (fchdir(launch->bundle) < 0 || close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) _exit(125);
    umask(0022);
    execve(launch->runtime.binary, arguments, environment);
    _exit(errno == ENOENT ? 127 : 126);
}

int runtime_run(const struct launch *launch, const char *log, const char *const arguments[], const int stdio[3],
                pid_t *pid, struct report *report) {
    const char *all[MAX_ARGUMENTS + 1] = {launch->runtime.binary, "--root", launch->runtime.root, "--log", log,
                                          "--log-format", "json"};
    size_t count = 7;
    for (; *arguments && count < MAX_ARGUMENTS; arguments++) all[count++] = *arguments;
    int file = openat(launch->bundle, log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file >= 0) close(file);
    pid_t self = getpid();
    int pidfd = -1;
    *pid = clone_into(-1, 0, &pidfd);
    if (*pid == 0) run_child(launch, (char *const *)(uintptr_t)all, stdio, self);
    return *pid < 0 ? fail(report, errno, "run", launch->runtime.binary) : pidfd;
}

bool runtime_succeeded(int pidfd, int timeout_ms) {
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    siginfo_t info = {0};
    int ready;
    do {
        ready = poll(&wait, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR) {
    }
    close(pidfd);
    return info.si_code == CLD_EXITED && info.si_status == 0;
}

int runtime_failure(const struct launch *launch, const char *log, const char *operation, struct report *report) {
    static char text[64 * 1024];
    int fd = openat(launch->bundle, log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? -1 : read_whole(fd, text, sizeof(text));
    if (fd >= 0) close(fd);
    while (size > 0 && text[size - 1] == '\n') text[--size] = 0;
    if (size <= 0) return fail_as(report, CATEGORY_RUNTIME, ECHILD, operation, launch->runtime.binary);
    const char *line = strrchr(text, '\n');
    return fail_as(report, CATEGORY_RUNTIME, ECHILD, operation, line ? line + 1 : text);
}

int runtime_child(const struct launch *launch, const char *file, pid_t *pid, struct report *report) {
    char text[16] = "";
    siginfo_t info = {0};
    int fd = openat(launch->bundle, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? -1 : read_whole(fd, text, sizeof(text));
    if (fd >= 0) close(fd);
    char *end;
    long number = size > 0 ? strtol(text, &end, 10) : 0;
    if (size <= 0 || number <= 1 || number > 0x7fffffff || (*end && *end != '\n'))
        return fail(report, EINVAL, "read process number in", file);
    *pid = (pid_t)number;
    int pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
    if (pidfd < 0) return fail(report, errno, "open process", text);
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0) return pidfd;
    int error = errno;
    close(pidfd);
    return fail(report, error, "verify that it is ours: process", text);
}

/* By a relative name, as the socket of the shim. */
int runtime_listen(const struct launch *launch, const char *name, struct report *report) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    unlinkat(launch->bundle, name, 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return fail(report, errno, "create", name);
    bool bound = fchdir(launch->bundle) == 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                 listen(fd, 1) == 0;
    int error = errno;
    if (chdir("/") < 0) bound = false;
    if (bound) return fd;
    close(fd);
    return fail(report, error, "bind", name);
}

/* The name that comes with it is of no interest. */
static int receive_descriptor(int socket) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char name[4096];
    struct iovec part = {.iov_base = name, .iov_len = sizeof(name)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
    int fd = -1;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) < 0) return -1;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

/* It has been sent by the time that the runtime's program has succeeded. */
int runtime_terminal(int listener, uint32_t rows, uint32_t columns, struct report *report) {
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    struct timeval limit = {.tv_sec = TERMINAL_MS / 1000};
    int terminal = -1;
    int connection = poll(&wait, 1, TERMINAL_MS) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (connection >= 0) {
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        terminal = receive_descriptor(connection);
        close(connection);
    }
    if (terminal < 0) return fail(report, EPROTO, "receive", "terminal of the runtime");
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    if (rows && columns) ioctl(terminal, TIOCSWINSZ, &size);
    fcntl(terminal, F_SETFL, fcntl(terminal, F_GETFL) | O_NONBLOCK);
    return terminal;
}
