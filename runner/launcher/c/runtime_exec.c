/*
 * An exec has two processes: the runtime's program, whose pidfd is the exec's `sync` while it runs, and the process that it
 * leaves, which becomes the shim's child when the program ends and whose number is in a file then.
 */
#define _GNU_SOURCE
#include "runtime_exec.h"
#include "runtime_json.h"
#include "runtime_program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The files of an exec in the bundle. */
struct names {
    char process[32], pid[32], log[32], console[32];
};

static void name_files(const struct process *process, struct names *names) {
    snprintf(names->process, sizeof(names->process), "exec-%u.json", process->number);
    snprintf(names->pid, sizeof(names->pid), "exec-%u.pid", process->number);
    snprintf(names->log, sizeof(names->log), "exec-%u.log", process->number);
    snprintf(names->console, sizeof(names->console), "exec-%u.sock", process->number);
}

static void remove_files(struct process *process) {
    struct names names;
    name_files(process, &names);
    const char *const all[] = {names.process, names.pid, names.log, names.console};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) unlinkat(shim.launch.bundle, all[i], 0);
    if (process->console >= 0) close(process->console);
    process->console = -1;
}

static int write_process(const struct names *names, const struct child *child, bool privileged, struct report *report) {
    static struct identity identity;
    const struct runtime_operation *runtime = &shim.launch.runtime;
    struct runtime_process document = {.terminal = child->terminal, .identity = &identity, .cwd = "/",
                                       .rest = privileged ? runtime->privileged : runtime->process};
    struct reader operations = child->operations;
    struct operation o;
    for (uint32_t i = 0; i < child->count; i++) {
        if (!decode_operation(&operations, &o)) return fail(report, EINVAL, "decode", "exec");
        if (o.kind == OP_USER && identity_find(shim.launch.rootfs, &o.user, &identity, report) < 0) return -1;
        if (o.kind == OP_CWD) document.cwd = o.path.path;
        if (o.kind == OP_EXEC) document.exec = o.exec;
    }
    if (document.exec.arguments.count == 0) return fail(report, EINVAL, "decode", "exec");
    return runtime_json_write(shim.launch.bundle, names->process, NULL, &document, report);
}

static int run(struct process *process, const struct names *names, const struct child *child, struct report *report) {
    const char *arguments[] = {"exec", "--detach", "--pid-file", names->pid, "--process", names->process, NULL, NULL, NULL, NULL};
    int ours[3] = {-1, -1, -1}, stdio[3] = {-1, -1, -1};
    size_t count = 6;
    if (child->terminal) {
        process->console = runtime_listen(&shim.launch, names->console, report);
        if (process->console < 0) return -1;
        arguments[count++] = "--console-socket";
        arguments[count++] = names->console;
    } else if (make_pipes(child->stdio[0] == 0, ours, stdio) < 0) {
        return fail(report, errno, "create", "pipes");
    }
    arguments[count] = shim.launch.runtime.id;
    process->sync.fd = runtime_run(&shim.launch, names->log, arguments, stdio, &process->pid, report);
    for (int i = 0; i < 3; i++)
        if (stdio[i] >= 0) close(stdio[i]);
    process->in.fd = ours[0];
    process->out.fd = ours[1];
    process->err.fd = ours[2];
    return process->sync.fd < 0 ? -1 : 0;
}

int runtime_exec_start(struct process *process, const struct child *child, bool privileged, struct report *report) {
    static uint32_t next = 1;
    struct names names;
    process->number = next++;
    process->rows = child->rows;
    process->columns = child->columns;
    name_files(process, &names);
    if (write_process(&names, child, privileged, report) == 0 && run(process, &names, child, report) == 0) return 0;
    remove_files(process);
    process_close_streams(process);
    exec_cgroup_remove(shim.launch.cgroup.directory, &process->cgroup);
    process->used = false;
    return -1;
}

/* Into the cgroup of its own, by which it is ended with all that comes from it. */
static void move_to_cgroup(struct process *process) {
    char text[16];
    snprintf(text, sizeof(text), "%d", process->pid);
    process->cgroup.pid = process->pid;
    write_file_at(process->cgroup.directory, "cgroup.procs", text);
}

static int take_over(struct process *process, struct report *report) {
    struct names names;
    name_files(process, &names);
    process->pidfd.fd = runtime_child(&shim.launch, names.pid, &process->pid, report);
    if (process->pidfd.fd < 0) return -1;
    move_to_cgroup(process);
    set_oom_score(&shim.launch, process->pid, -1);
    if (!process->terminal) return 0;
    int terminal = runtime_terminal(process->console, process->rows, process->columns, report);
    if (terminal < 0) return -1;
    process->in.fd = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
    process->out.fd = terminal;
    return 0;
}

void runtime_exec_sync(struct process *process) {
    struct names names;
    struct report report;
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)process->sync.fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) return;
    close_source(&process->sync);
    name_files(process, &names);
    bool ran = info.si_code == CLD_EXITED && info.si_status == 0;
    int result = ran ? take_over(process, &report) : runtime_failure(&shim.launch, names.log, "exec", &report);
    remove_files(process);
    if (result == 0) return process_exec_started(process);
    process_exec_failed(process, &report);
    if (process->pidfd.fd >= 0) return exec_cgroup_kill(&process->cgroup); /* its end is told by the pidfd */
    process_finish_exec(process);
}

void runtime_exec_abandon(void) {
    for (int i = 1; i < MAX_PROCESSES; i++) {
        const struct process *process = &shim.processes[i];
        if (process->used && process->sync.fd >= 0)
            syscall(SYS_pidfd_send_signal, process->sync.fd, SIGKILL, NULL, 0);
    }
}

int runtime_exec_watch_children(void) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* While a runtime's program runs, any child may be the process that it is about to leave us. */
static bool is_ours(pid_t pid) {
    for (int i = 0; i < MAX_PROCESSES; i++) {
        const struct process *process = &shim.processes[i];
        if (process->used && (process->sync.fd >= 0 || process->pid == pid)) return true;
    }
    return false;
}

void runtime_exec_reap_orphans(void) {
    struct signalfd_siginfo ignored;
    while (shim.children.fd >= 0 && read(shim.children.fd, &ignored, sizeof(ignored)) > 0) {
    }
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 || is_ours(info.si_pid)) return;
        if (waitpid(info.si_pid, NULL, WNOHANG) <= 0) return;
    }
}
