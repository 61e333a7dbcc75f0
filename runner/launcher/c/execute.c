/*
 * From a process in its container to the program in it. What must never be out of order is one function here: standard
 * streams, limits, privileges, execve.
 */
#define _GNU_SOURCE
#include "execute.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static char *arguments[MAX_STRINGS + 1];
static char *environment[MAX_STRINGS + 2];

static int limit_resource(const struct progress *progress, const struct rlimit_operation *limit) {
    struct rlimit wanted = {.rlim_cur = limit->soft, .rlim_max = limit->hard}, now;
    if (setrlimit((int)limit->resource, &wanted) == 0) return 0;
    if (errno != EPERM || getrlimit((int)limit->resource, &now) < 0) return -1;
    /* Without CAP_SYS_RESOURCE the hard limit cannot rise: as near as it goes, and the caller is told. */
    struct report warning;
    fail(&warning, EPERM, "raise resource limit", "hard limit kept");
    warning.kind = REPORT_WARNING;
    warning.value = limit->resource;
    send_report(progress->child->sync, &warning, -1);
    if (wanted.rlim_max > now.rlim_max) wanted.rlim_max = now.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max) wanted.rlim_cur = wanted.rlim_max;
    return setrlimit((int)limit->resource, &wanted);
}

static int wire_streams(struct progress *progress, struct report *report) {
    int *stdio = progress->child->stdio;
    if (setsid() < 0 && errno != EPERM) return fail(report, errno, "start", "session");
    if (progress->child->terminal) {
        for (int i = 0; i < 3; i++) stdio[i] = progress->slave;
    } else if (stdio[0] < 0) {
        /* Without waiting: the container may have put a pipe there, which nobody ever opens for writing. */
        stdio[0] = open_beneath(progress->root, "dev/null", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (stdio[0] < 0) return fail(report, errno, "open standard input", "/dev/null");
        if (!is_null_device(stdio[0])) return fail(report, EPERM, "open standard input", "/dev/null");
        fcntl(stdio[0], F_SETFL, 0);
    }
    /* One that is already below 3 would be overwritten, or keep its close-on-exec: dup2 of a descriptor on itself does nothing. */
    for (int i = 0; i < 3; i++)
        if (stdio[i] < 3 && (stdio[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return fail(report, errno, "move", "standard streams");
    for (int i = 0; i < 3; i++) {
        /* So that a user other than root can open /dev/stdout again; never the shared null device. */
        if (!is_null_device(stdio[i])) (void)!fchown(stdio[i], progress->identity.uid, (gid_t)-1);
        if (dup2(stdio[i], i) < 0) return fail(report, errno, "set up", "standard streams");
    }
    if (progress->child->terminal && ioctl(0, TIOCSCTTY, 0) < 0) return fail(report, errno, "control", "terminal");
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) return fail(report, errno, "close", "file descriptors");
    return 0;
}

static const char *variable(const char *name) {
    size_t length = strlen(name);
    for (char **at = environment; *at; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=') return *at + length + 1;
    return NULL;
}

static void fill_vectors(const struct exec_operation *exec, const struct identity *identity) {
    static char home[sizeof("HOME=") + sizeof(identity->home)];
    struct reader from = exec->arguments.reader;
    for (uint32_t i = 0; i < exec->arguments.count; i++) arguments[i] = (char *)(uintptr_t)next_string(&from);
    from = exec->environment.reader;
    for (uint32_t i = 0; i < exec->environment.count; i++) environment[i] = (char *)(uintptr_t)next_string(&from);
    if (variable("HOME")) return;
    snprintf(home, sizeof(home), "HOME=%s", identity->home);
    environment[exec->environment.count] = home;
}

/* Like execvpe, but with the container's PATH, and telling "not there" from "not executable". */
static int find_and_exec(const char **object) {
    char path[4096];
    *object = arguments[0];
    if (strchr(arguments[0], '/')) {
        execve(arguments[0], arguments, environment);
        return errno;
    }
    const char *search = variable("PATH");
    int result = ENOENT;
    for (const char *at = search ? search : DEFAULT_PATH; *at && *arguments[0];) {
        size_t length = strcspn(at, ":");
        int size = snprintf(path, sizeof(path), "%.*s/%s", (int)length, at, arguments[0]);
        if (length > 0 && size > 0 && (size_t)size < sizeof(path)) {
            execve(path, arguments, environment);
            if (errno != ENOENT && errno != ENOTDIR) result = errno;
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
        }
        at += length;
        at += *at == ':';
    }
    return result;
}

/* Takes effect at execve. */
static int change_profile(const struct progress *progress, struct report *report) {
    char text[300];
    const char *profile = progress->child->restrictions->apparmor;
    int length = snprintf(text, sizeof(text), "exec %s", profile);
    if (length < 0 || (size_t)length >= sizeof(text)) return fail(report, ENAMETOOLONG, "apply AppArmor profile", profile);
    if (write(progress->apparmor, text, (size_t)length) != length)
        return fail(report, errno, "apply AppArmor profile", profile);
    return 0;
}

int execute(struct progress *progress, const struct exec_operation *exec, struct report *report) {
    const struct restrictions *restrictions = progress->child->restrictions;
    struct sock_fprog filter = {.len = restrictions->filter_length,
                                .filter = (struct sock_filter *)(uintptr_t)restrictions->filter};
    struct report about = {.kind = REPORT_EXEC};
    const char *object;
    fill_vectors(exec, &progress->identity);
    if (wire_streams(progress, report) < 0) return -1;
    /* After the last descriptor was opened: the container's limit of those may be lower than what is open here. */
    for (size_t i = 0; i < restrictions->rlimit_count; i++)
        if (limit_resource(progress, &restrictions->rlimits[i]) < 0)
            return fail(report, errno, "set", "resource limit");
    umask(exec->umask);
    send_report(progress->child->sync, &about, -1);
    if (progress->apparmor >= 0 && change_profile(progress, report) < 0) return -1;
    if (identity_assume(&progress->identity, &restrictions->security, &filter, restrictions->filter_flags,
                        report) < 0) return -1;
    /* A change of user resets it. Without its shim a container has no log and no end: it must not go on. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    int error = find_and_exec(&object);
    bool missing = error == ENOENT || error == ENOTDIR;
    return fail_as(report, missing ? CATEGORY_NOT_FOUND : CATEGORY_NOT_EXECUTABLE, error, "execute", object);
}
