/*
 * Files and directories beneath a root that belongs to an image. No path is ever resolved by the kernel's plain rules:
 * each is opened with openat2 so that no symlink leads out, and what is missing is made through the fd of its parent.
 */
#define _GNU_SOURCE
#include "berth.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A path of "/" and of "" both mean the root itself. */
static const char *relative(const char *path) {
    while (*path == '/') path++;
    return *path ? path : ".";
}

int open_beneath(int root, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};
    long fd;
    /* EAGAIN: a rename happened meanwhile somewhere, and the kernel could not prove that ".." stayed inside. */
    do {
        fd = syscall(SYS_openat2, root, relative(path), &how, sizeof(how));
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return (int)fd;
}

/* Makes `name` in `parent` if need be and opens it, without following a symlink. */
static int descend(int parent, const char *name) {
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST) return -1;
    return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The directory `path` beneath `root`: what is there is followed, what is missing is made component by component. */
int open_or_make_directory(int root, const char *path) {
    int fd = open_beneath(root, path, O_PATH | O_DIRECTORY, 0);
    if (fd >= 0 || errno != ENOENT) return fd;
    char prefix[PATH_MAX];
    const char *rest = relative(path);
    if (strlen(rest) >= sizeof(prefix)) return errno = ENAMETOOLONG, -1;
    int parent = fcntl(root, F_DUPFD_CLOEXEC, 3);
    for (size_t end = 0; parent >= 0 && rest[end];) {
        size_t start = end;
        while (rest[end] && rest[end] != '/') end++;
        memcpy(prefix, rest, end);
        prefix[end] = 0;
        int next = open_beneath(root, prefix, O_PATH | O_DIRECTORY, 0);
        if (next < 0 && errno == ENOENT) next = descend(parent, prefix + start);
        int error = errno;
        close(parent);
        errno = error;
        parent = next;
        while (rest[end] == '/') end++;
    }
    return parent;
}

/* Splits off the last component and opens (or makes) the directory that holds it. */
int open_parent(int root, const char *path, const char **name) {
    char directory[PATH_MAX];
    const char *last = strrchr(path, '/');
    *name = last ? last + 1 : path;
    size_t length = last ? (size_t)(last - path) : 0;
    if (length >= sizeof(directory)) return errno = ENAMETOOLONG, -1;
    if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) return errno = EINVAL, -1;
    memcpy(directory, path, length);
    directory[length] = 0;
    return open_or_make_directory(root, directory);
}

/* The file `path` beneath `root`, made empty if it is missing, to be a mount point. */
int open_or_make_file(int root, const char *path) {
    int fd = open_beneath(root, path, O_PATH, 0);
    if (fd >= 0 || errno != ENOENT) return fd;
    const char *name;
    int parent = open_parent(root, path, &name);
    if (parent < 0) return -1;
    int made = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
    if (made >= 0) close(made);
    fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    close(parent);
    errno = error;
    return fd;
}

/* Writes a kernel file (cgroup, /proc) in one write, as those want it. */
int write_file_at(int directory, const char *name, const char *value) {
    int fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return -1;
    size_t length = strlen(value);
    ssize_t written = write(fd, value, length);
    int error = written < 0 ? errno : EIO;
    close(fd);
    if (written == (ssize_t)length) return 0;
    errno = error;
    return -1;
}

/* Up to `size - 1` bytes, NUL-terminated; EFBIG when there are more. */
ssize_t read_whole(int fd, char *buffer, size_t size) {
    size_t used = 0;
    for (;;) {
        ssize_t got = read(fd, buffer + used, size - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        used += (size_t)got;
        if (used == size) return errno = EFBIG, -1;
    }
    buffer[used] = 0;
    return (ssize_t)used;
}

bool is_null_device(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}
