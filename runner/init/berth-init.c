/*
 * The first process of a container that asks for one (`docker run --init`): it starts the program that its arguments name,
 * passes signals on to that, collects every process that ends, and ends as the program did: with its exit code, or 128 and
 * the number of the signal. As process 1 it takes all others with it.
 *
 * Usage: berth-init [--] PROGRAM [ARGUMENT…]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

static int complain(const char *operation, const char *object, int code) {
    fprintf(stderr, "berth-init: %s %s: %s\n", operation, object, strerror(errno));
    return code;
}

/* All but those by which the kernel tells a program of its own faults: these must end us where they happen. */
static void waited_signals(sigset_t *set) {
    static const int faults[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) sigdelset(set, faults[i]);
}

/* In a group of its own, in front of the terminal if there is one: what is typed there, ^C too, is for the program. */
static _Noreturn void become(char **arguments, const sigset_t *mask) {
    setpgid(0, 0);
    /* We are not in front while we ask for it, which would stop us. */
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(STDIN_FILENO, getpgrp());
    signal(SIGTTOU, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(arguments[0], arguments);
    bool missing = errno == ENOENT || errno == ENOTDIR;
    _exit(complain("execute", arguments[0], missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE));
}

static int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

/* Collects all that have ended; true, with its exit code, when the program is among them. */
static bool collect(pid_t program, int *code) {
    bool ended = false;
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) continue;
        if (pid <= 0) return ended;
        if (pid != program) continue;
        *code = exit_code(status);
        ended = true;
    }
}

int main(int count, char **arguments) {
    int first = count > 1 && strcmp(arguments[1], "--") == 0 ? 2 : 1;
    if (first >= count) {
        fprintf(stderr, "usage: berth-init [--] PROGRAM [ARGUMENT...]\n");
        return EXIT_NOT_FOUND;
    }
    sigset_t waited, before;
    waited_signals(&waited);
    sigprocmask(SIG_BLOCK, &waited, &before);
    /* Where the pid namespace is shared, orphans come to us all the same. */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    pid_t program = fork();
    if (program < 0) return complain("start", arguments[first], EXIT_NOT_EXECUTABLE);
    if (program == 0) become(arguments + first, &before);
    for (;;) {
        siginfo_t info;
        int code;
        int number = sigwaitinfo(&waited, &info);
        if (number < 0) continue;
        if (number == SIGCHLD) {
            if (collect(program, &code)) return code;
        } else if (number != SIGTTIN && number != SIGTTOU) {
            kill(program, number);
        }
    }
}
