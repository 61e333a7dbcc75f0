/*
 * What the shell of a small image cannot do, for the containers of the virtual machine's tests. Static, since it is bound
 * into any image.
 *
 *   probe hold MIB                     takes so much memory, says "held", and keeps it
 *   probe take MIB                     takes so much memory, and ends
 *   probe huge PAGES [unreserved]      maps and touches pages of 2 MiB; exit code 12 when there are none for it
 *   probe move DEVICE read|write       moves blocks of 64 KiB past the page cache, without an end
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEBIBYTE = 1 << 20, HUGE_PAGE = 2 * MEBIBYTE, BLOCK = 64 * 1024, BLOCKS = 512 };

static int failed(const char *what) {
    int code = errno;
    perror(what);
    return code;
}

static int take(size_t bytes) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return failed("mmap");
    memset(memory, 'x', bytes);
    return 0;
}

static int hold(size_t bytes) {
    int code = take(bytes);
    if (code != 0) return code;
    if (write(STDOUT_FILENO, "held\n", 5) != 5) return failed("write");
    for (;;) pause();
}

/* Without a reservation the map itself succeeds, and the page that is one too many is a SIGBUS. */
static int huge(size_t pages, int more) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | more;
    char *memory = mmap(NULL, pages * HUGE_PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) return failed("mmap");
    for (size_t page = 0; page < pages; page++) memory[page * HUGE_PAGE] = 1;
    return 0;
}

static int move(const char *device, int writes) {
    void *block;
    if (posix_memalign(&block, 4096, BLOCK) != 0) return ENOMEM;
    memset(block, 0, BLOCK);
    int fd = open(device, (writes ? O_WRONLY : O_RDONLY) | O_DIRECT | O_CLOEXEC);
    if (fd < 0) return failed(device);
    for (off_t at = 0;; at = (at + 1) % BLOCKS) {
        ssize_t moved = writes ? pwrite(fd, block, BLOCK, at * BLOCK) : pread(fd, block, BLOCK, at * BLOCK);
        if (moved != BLOCK) return failed(device);
    }
}

int main(int count, char **words) {
    if (count == 3 && strcmp(words[1], "hold") == 0) return hold(strtoul(words[2], NULL, 10) * MEBIBYTE);
    if (count == 3 && strcmp(words[1], "take") == 0) return take(strtoul(words[2], NULL, 10) * MEBIBYTE);
    if (count >= 3 && strcmp(words[1], "huge") == 0)
        return huge(strtoul(words[2], NULL, 10), count > 3 ? MAP_NORESERVE : 0);
    if (count == 4 && strcmp(words[1], "move") == 0) return move(words[2], strcmp(words[3], "write") == 0);
    return EINVAL;
}
