/*
 * What a container's process may do, tried by system calls of its own. One line an attempt: its name and the errno, 0 for
 * success. Arguments are such that without the filter the call would succeed or fail with another errno.
 *
 *   probe syscalls              every call that the default filter refuses, and some that it allows
 *   probe descriptors           which descriptors are open
 *   probe device PATH b|c MAJOR MINOR   makes a node and opens it
 *   probe overwrite PATH        tries to get at PATH for writing (CVE-2019-5736)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void tell(const char *name, long result) { printf("%s %d\n", name, result < 0 ? errno : 0); }

struct attempt {
    const char *name;
    long number, arguments[3];
};

static const struct attempt attempts[] = {
    {"clone3", SYS_clone3, {0, 0, 0}},
    {"unshare-user", SYS_unshare, {CLONE_NEWUSER, 0, 0}},
    {"unshare-mount", SYS_unshare, {CLONE_NEWNS, 0, 0}},
    {"setns", SYS_setns, {-1, 0, 0}},
    {"mount", SYS_mount, {0, 0, 0}},
    {"umount2", SYS_umount2, {0, -1, 0}},
    {"fsopen", SYS_fsopen, {0, 0, 0}},
    {"fsmount", SYS_fsmount, {-1, 0, 0}},
    {"open_tree", SYS_open_tree, {-1, 0, 0}},
    {"move_mount", SYS_move_mount, {-1, 0, -1}},
    {"mount_setattr", SYS_mount_setattr, {-1, 0, 0}},
    {"pivot_root", SYS_pivot_root, {0, 0, 0}},
    {"keyctl", SYS_keyctl, {0, -3, 0}},
    {"add_key", SYS_add_key, {0, 0, 0}},
    {"request_key", SYS_request_key, {0, 0, 0}},
    {"bpf", SYS_bpf, {-1, 0, 0}},
    {"perf_event_open", SYS_perf_event_open, {0, 0, -1}},
    {"userfaultfd", SYS_userfaultfd, {1, 0, 0}},
    {"io_uring_setup", SYS_io_uring_setup, {0, 0, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}},
    {"init_module", SYS_init_module, {0, 0, 0}},
    {"finit_module", SYS_finit_module, {-1, 0, 0}},
    {"kexec_load", SYS_kexec_load, {0, 0, 0}},
    {"reboot", SYS_reboot, {0, 0, 0}},
    {"swapon", SYS_swapon, {0, 0, 0}},
    {"acct", SYS_acct, {0, 0, 0}},
    {"quotactl", SYS_quotactl, {-1, 0, 0}},
    {"clock_settime", SYS_clock_settime, {0, 0, 0}},
    {"settimeofday", SYS_settimeofday, {0, 0, 0}},
    {"iopl", SYS_iopl, {0, 0, 0}},
    {"ioperm", SYS_ioperm, {0, 0, 0}},
    {"syslog", SYS_syslog, {10, 0, 0}},
    {"vhangup", SYS_vhangup, {0, 0, 0}},
    {"fanotify_init", SYS_fanotify_init, {0, 0, 0}},
    {"mbind", SYS_mbind, {0, 0, 0}},
    {"move_pages", SYS_move_pages, {0, 0, 0}},
    {"personality", SYS_personality, {0x0040000, 0, 0}},
    /* Allowed: the filter is not simply shut. */
    {"getpid", SYS_getpid, {0, 0, 0}},
    {"personality-query", SYS_personality, {0xffffffff, 0, 0}},
    {"memfd_create", SYS_memfd_create, {(long)(uintptr_t)"x", 0, 0}},
};

static void syscalls(void) {
    static const int families[] = {AF_UNIX, AF_INET, AF_NETLINK, 38, 39, 40, 41};
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const struct attempt *a = &attempts[i];
        tell(a->name, syscall(a->number, a->arguments[0], a->arguments[1], a->arguments[2], 0, 0));
    }
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        char name[32];
        snprintf(name, sizeof(name), "socket-%d", families[i]);
        tell(name, socket(families[i], families[i] == 38 ? SOCK_SEQPACKET : SOCK_DGRAM, 0));
    }
    tell("clone-user", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
    tell("clone-net", syscall(SYS_clone, CLONE_NEWNET | 17, 0, 0, 0, 0));
}

static void descriptors(void) {
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0) printf("%d ", fd);
    printf("\n");
}

static void device(char **arguments) {
    dev_t number = makedev((unsigned)atoi(arguments[2]), (unsigned)atoi(arguments[3]));
    unlink(arguments[0]);
    tell("make", mknod(arguments[0], (arguments[1][0] == 'b' ? S_IFBLK : S_IFCHR) | 0666, number));
    tell("read", open(arguments[0], O_RDONLY | O_NONBLOCK));
    tell("write", open(arguments[0], O_WRONLY | O_NONBLOCK));
    unlink(arguments[0]);
}

/* As the exploit does: hold it open for reading, then open that descriptor again for writing. */
static void overwrite(const char *path) {
    char target[64], again[64];
    int fd = open(path, O_RDONLY);
    tell("read", fd);
    if (fd < 0) return;
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    target[length < 0 ? 0 : length] = 0;
    printf("target %s\n", target);
    snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
    tell("open-write", open(path, O_WRONLY));
    tell("open-truncate", open(again, O_WRONLY | O_TRUNC));
    tell("open-both", open(again, O_RDWR));
    tell("truncate", truncate(again, 0));
    tell("map", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    printf("sealed %d\n", (fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) != 0);
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (count == 2 && strcmp(arguments[1], "syscalls") == 0) return syscalls(), 0;
    if (count == 2 && strcmp(arguments[1], "descriptors") == 0) return descriptors(), 0;
    if (count == 6 && strcmp(arguments[1], "device") == 0) return device(arguments + 2), 0;
    if (count == 3 && strcmp(arguments[1], "overwrite") == 0) return overwrite(arguments[2]), 0;
    return 2;
}
