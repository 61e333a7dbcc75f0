/*
 * Compiles a seccomp rule table with libseccomp. It is run once for each profile; the runner keeps the result in a file.
 * The table: u32 default action, strings of architectures, u32 count of rules, and for each u32 action, strings of names,
 * u32 count of arguments, and for each u32 index, u32 comparison, u64 and u64 operands. Actions and comparisons are the
 * numbers of <seccomp.h>.
 */
#define _GNU_SOURCE
#include "seccomp_program.h"
#include "plan.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char table[MAX_PLAN];

static int complain(const char *operation, const char *object, int error) {
    fprintf(stderr, "%s %s: %s\n", operation, object, strerror(error));
    return -1;
}

static int add_architectures(scmp_filter_ctx context, struct reader *reader) {
    uint32_t count = get_u32(reader);
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        const char *name = next_string(reader);
        uint32_t token = seccomp_arch_resolve_name(name);
        if (token == 0) continue; /* libseccomp does not know it, so this host is not of it */
        int result = seccomp_arch_add(context, token);
        /* EDOM: of the other byte order, so this host cannot run it. */
        if (result < 0 && result != -EEXIST && result != -EDOM) return complain("add architecture", name, -result);
    }
    return 0;
}

static int add_rule(scmp_filter_ctx context, struct reader *reader) {
    struct scmp_arg_cmp arguments[6];
    uint32_t action = get_u32(reader), names = get_u32(reader);
    struct reader start = *reader;
    for (uint32_t i = 0; i < names && !reader->bad; i++) next_string(reader);
    uint32_t count = get_u32(reader);
    if (count > ARRAY_SIZE(arguments)) reader->bad = true;
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        arguments[i].arg = get_u32(reader);
        arguments[i].op = (enum scmp_compare)get_u32(reader);
        arguments[i].datum_a = get_u64(reader);
        arguments[i].datum_b = get_u64(reader);
    }
    for (uint32_t i = 0; i < names && !reader->bad; i++) {
        const char *name = next_string(&start);
        int number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR) continue; /* newer than this libseccomp: stays at the default action */
        int result = seccomp_rule_add_array(context, action, number, count, arguments);
        /* EACCES: the rule says what the default says. */
        if (result < 0 && result != -EACCES && result != -EEXIST) return complain("add rule", name, -result);
    }
    return 0;
}

int seccomp_program_run(void) {
    ssize_t size = read_whole(STDIN_FILENO, table, sizeof(table));
    if (size < 0) return complain("read", "rule table", errno), 1;
    struct reader reader = {.at = (const uint8_t *)table, .left = (size_t)size};
    scmp_filter_ctx context = seccomp_init(get_u32(&reader));
    if (!context) return complain("start", "program (invalid default action)", EINVAL), 1;
    /* A binary tree instead of a list: a fourth of the instructions for each call. */
    seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);
    int result = add_architectures(context, &reader);
    uint32_t rules = get_u32(&reader);
    for (uint32_t i = 0; i < rules && result == 0 && !reader.bad; i++) result = add_rule(context, &reader);
    if (reader.bad || reader.left) result = complain("decode", "rule table", EINVAL);
    if (result == 0 && (result = seccomp_export_bpf(context, STDOUT_FILENO)) < 0)
        complain("write", "program", -result);
    seccomp_release(context);
    return result < 0 ? 1 : 0;
}
