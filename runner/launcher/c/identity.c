/*
 * User look-up and the drop of privileges. /etc/passwd and /etc/group belong to the image, which may hold anything: only
 * regular files up to MAX_DATABASE bytes are read, fields are split strictly, numbers are decimal digits and nothing else.
 */
#define _GNU_SOURCE
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_DATABASE (1u << 20)
#define MAX_ID 2147483647u
#define MAX_FIELDS 7

/* The child that reads it is about to call execve, so this costs nothing that lasts. */
static char database[MAX_DATABASE];

/* An image without the file has no names: that is an empty file. */
static int read_database(int root, const char *path, struct report *report) {
    database[0] = 0;
    int fd = open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return 0;
    if (fd < 0) return fail(report, errno, "open", path);
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return fail(report, EINVAL, "read as a regular file", path);
    }
    ssize_t size = read_whole(fd, database, sizeof(database));
    int error = errno;
    close(fd);
    return size < 0 ? fail(report, error, "read", path) : 0;
}

/* Cuts the next line of the database into its fields; false at the end. */
static bool next_entry(char **rest, char *fields[MAX_FIELDS], size_t *count) {
    if (!**rest) return false;
    char *line = *rest;
    char *end = strchr(line, '\n');
    *rest = end ? end + 1 : line + strlen(line);
    if (end) *end = 0;
    for (*count = 0; *count < MAX_FIELDS; (*count)++) {
        fields[*count] = line;
        char *colon = strchr(line, ':');
        if (!colon) {
            (*count)++;
            break;
        }
        *colon = 0;
        line = colon + 1;
    }
    return true;
}

static bool parse_id(const char *text, uint32_t *id) {
    uint64_t value = 0;
    if (!*text || strlen(text) > 10) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *id = (uint32_t)value;
    return value <= MAX_ID;
}

/* Finds `user` by name, or else by number; `name` is filled when an entry was found. */
static int find_user(int root, const char *user, struct identity *identity, char name[256], struct report *report) {
    uint32_t number = 0, uid, gid;
    bool numeric = parse_id(user, &number);
    bool found = false;
    char *fields[MAX_FIELDS];
    size_t count;
    if (read_database(root, "etc/passwd", report) < 0) return -1;
    for (char *rest = database; next_entry(&rest, fields, &count);) {
        if (count < 6 || !parse_id(fields[2], &uid) || !parse_id(fields[3], &gid)) continue;
        bool by_name = strcmp(fields[0], user) == 0;
        if (!by_name && !(numeric && !found && uid == number)) continue;
        identity->uid = uid;
        identity->gid = gid;
        snprintf(identity->home, sizeof(identity->home), "%.255s", fields[5]);
        snprintf(name, 256, "%.255s", fields[0]);
        found = true;
        if (by_name) break;
    }
    if (found) return 0;
    if (!numeric) return fail_as(report, CATEGORY_USER, ENOENT, "find user", user);
    identity->uid = number;
    return 0;
}

static void add_group(struct identity *identity, gid_t gid) {
    for (size_t i = 0; i < identity->group_count; i++)
        if (identity->groups[i] == gid) return;
    if (identity->group_count < MAX_GROUPS) identity->groups[identity->group_count++] = gid;
}

static int find_group(int root, const char *group, gid_t *gid, struct report *report) {
    uint32_t number = 0, id;
    bool numeric = parse_id(group, &number);
    char *fields[MAX_FIELDS];
    size_t count;
    if (read_database(root, "etc/group", report) < 0) return -1;
    for (char *rest = database; next_entry(&rest, fields, &count);) {
        if (count < 3 || !parse_id(fields[2], &id) || strcmp(fields[0], group) != 0) continue;
        *gid = id;
        return 0;
    }
    if (!numeric) return fail_as(report, CATEGORY_USER, ENOENT, "find group", group);
    *gid = number;
    return 0;
}

static bool lists_member(const char *members, const char *name) {
    size_t length = strlen(name);
    for (const char *at = members; *at; at += strcspn(at, ","), at += *at == ',') {
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0) return true;
    }
    return false;
}

/* Every group that names the user as a member. */
static int find_memberships(int root, const char *name, struct identity *identity, struct report *report) {
    uint32_t gid;
    char *fields[MAX_FIELDS];
    size_t count;
    if (!*name) return 0;
    if (read_database(root, "etc/group", report) < 0) return -1;
    for (char *rest = database; next_entry(&rest, fields, &count);) {
        if (count >= 4 && parse_id(fields[2], &gid) && lists_member(fields[3], name)) add_group(identity, gid);
    }
    return 0;
}

int identity_find(int root, const struct user_operation *user, struct identity *identity, struct report *report) {
    char text[512], name[256] = "";
    memset(identity, 0, sizeof(*identity));
    snprintf(identity->home, sizeof(identity->home), "/");
    if (strlen(user->user) >= sizeof(text)) return fail_as(report, CATEGORY_USER, ENAMETOOLONG, "find user", user->user);
    snprintf(text, sizeof(text), "%s", user->user);
    char *group = strchr(text, ':');
    if (group) *group++ = 0;
    if (find_user(root, *text ? text : "0", identity, name, report) < 0) return -1;
    bool named = group && *group;
    if (named && find_group(root, group, &identity->gid, report) < 0) return -1;
    /* The primary one, too: a set-group-id program must not be the way out of it (CVE-2022-36109). */
    add_group(identity, identity->gid);
    if (!named && find_memberships(root, name, identity, report) < 0) return -1;
    struct reader groups = user->groups.reader;
    for (uint32_t i = 0; i < user->groups.count; i++) {
        gid_t gid;
        if (find_group(root, next_string(&groups), &gid, report) < 0) return -1;
        add_group(identity, gid);
    }
    return 0;
}

static int drop_bounding(uint64_t keep) {
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (keep >> capability & 1) continue;
        /* EINVAL: the kernel knows no capability of this number, nor a higher one. */
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return errno == EINVAL ? 0 : -1;
    }
    return 0;
}

/* What we have ourselves: the kernel refuses a set with anything else in it. */
static int own_capabilities(uint64_t *permitted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

/* Inheritable stays empty always: what is in it would survive an execve of a file with file capabilities. */
static int set_capabilities(uint64_t permitted, uint64_t effective) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
        {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

static int install(const struct sock_fprog *filter, uint32_t flags, struct report *report) {
    if (!filter->len) return 0;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, filter) < 0)
        return fail(report, errno, "install seccomp program of", "the container");
    return 0;
}

/*
 * Order: the bounding set while CAP_SETPCAP is still there. Without no-new-privileges only CAP_SYS_ADMIN may install a
 * filter, so it goes before the drop, and must allow the calls of the drop; with it, the filter is the very last.
 * A user other than root loses all capabilities at execve, as the kernel rules; KEEPCAPS spans the setresuid only.
 */
int identity_assume(const struct identity *identity, const struct security_operation *security,
                    const struct sock_fprog *filter, uint32_t filter_flags, struct report *report) {
    uint64_t own;
    if (own_capabilities(&own) < 0) return fail(report, errno, "read", "capabilities");
    if (drop_bounding(security->bounding) < 0) return fail(report, errno, "drop", "bounding capabilities");
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return fail(report, errno, "keep", "capabilities");
    if (!security->no_new_privileges && install(filter, filter_flags, report) < 0) return -1;
    if (setgroups(identity->group_count, identity->groups) < 0) return fail(report, errno, "set", "groups");
    if (setresgid(identity->gid, identity->gid, identity->gid) < 0) return fail(report, errno, "set", "group");
    if (setresuid(identity->uid, identity->uid, identity->uid) < 0) return fail(report, errno, "set", "user");
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) return fail(report, errno, "reset", "keep capabilities");
    uint64_t effective = identity->uid == 0 ? security->effective : 0;
    if (set_capabilities(security->permitted & own, effective & own) < 0) return fail(report, errno, "set", "capabilities");
    if (!security->no_new_privileges) return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail(report, errno, "set", "no-new-privileges");
    return install(filter, filter_flags, report);
}
