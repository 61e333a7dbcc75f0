/*
 * berth-launcher ROLE. `spawner` serves the runner on descriptor 3; `seccomp` compiles a rule table; `check` tells whether
 * standard input is a well-formed plan. The shim and exec roles are forks of the spawner, not programs of their own.
 */
#define _GNU_SOURCE
#include "plan.h"
#include "seccomp_program.h"
#include "spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/*
 * Runs this program again from a sealed copy in memory: a container's process that reaches /proc/PID/exe of a launcher
 * process then finds a file that nobody can write, and never the one on the host.
 */
static int run_from_sealed_copy(char **arguments, char **environment) {
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0) return -1;
    if ((fcntl(self, F_GET_SEALS) & SEALS) == SEALS && fcntl(self, F_GET_SEALS) > 0) return close(self);
    int copy = memfd_create("berth-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (copy < 0 && errno == EINVAL) copy = memfd_create("berth-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat status;
    if (copy < 0 || fstat(self, &status) < 0) return -1;
    for (off_t done = 0; done < status.st_size;) {
        ssize_t sent = sendfile(copy, self, NULL, (size_t)(status.st_size - done));
        if (sent <= 0) return -1;
        done += sent;
    }
    if (fcntl(copy, F_ADD_SEALS, SEALS) < 0) return -1;
    fexecve(copy, arguments, environment);
    return -1;
}

/* From a copy of just its length, so that a build with address checks sees any look beyond its end. */
static int check(void) {
    static char bytes[MAX_PLAN];
    struct plan plan;
    ssize_t size = read_whole(STDIN_FILENO, bytes, sizeof(bytes));
    uint8_t *exact = size > 0 ? malloc((size_t)size) : NULL;
    if (!exact) return 1;
    memcpy(exact, bytes, (size_t)size);
    bool is_plan = check_plan(exact, (size_t)size, &plan);
    free(exact);
    return is_plan ? 0 : 1;
}

int main(int count, char **arguments) {
    const char *role = count == 2 ? arguments[1] : "";
    if (strcmp(role, "seccomp") == 0) return seccomp_program_run();
    if (strcmp(role, "check") == 0) return check();
    if (strcmp(role, "spawner") != 0) {
        fprintf(stderr, "usage: berth-launcher spawner|seccomp|check (it is started by berth runner)\n");
        return 2;
    }
    char *none[] = {NULL};
    if (run_from_sealed_copy(arguments, none) < 0) {
        fprintf(stderr, "berth-launcher: run from a sealed copy in memory: %s\n", strerror(errno));
        return 1;
    }
    /* Not even root of a container that shares no user namespace with us may look into these processes. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return 1;
    return spawner_run();
}
