/*
 * The binary plan. All numbers are little-endian; a string is u32 length, its bytes, and a NUL that is not counted; an
 * operation is u32 kind, u32 length of its payload, payload. A plan is the magic number, then the host's operations
 * (u32 count, then each), then the container's. `runner/launcher/encode.ts` writes it.
 */
#ifndef BERTH_PLAN_H
#define BERTH_PLAN_H

#include "berth.h"

#define PLAN_MAGIC 0x31545242u /* "BRT1" */
#define MAX_OPERATIONS 4096u
#define MAX_STRINGS 16384u
#define MAX_STRING (128u * 1024)
#define MAX_INSTRUCTIONS 4096u

enum operation_kind {
    /* Performed by the shim, on the host. */
    OP_SHIM = 1,
    OP_CGROUP,
    OP_CGROUP_FILE,
    OP_NAMESPACES,
    OP_LINK,
    OP_OOM_SCORE,
    OP_SECCOMP,
    OP_SECURITY,
    OP_RLIMIT,
    OP_DEVICE_PROGRAM,
    OP_JOIN,
    OP_ID_MAPS,
    OP_APPARMOR,
    OP_RUNTIME,
    /* Performed by the child, on its way into the container. */
    OP_CGROUP_NAMESPACE = 32,
    OP_OVERLAY,
    OP_FILESYSTEM,
    OP_BIND,
    OP_DEVICE,
    OP_SYMLINK,
    OP_MASK,
    OP_READONLY_PATH,
    OP_SYSCTL,
    OP_LOOPBACK,
    OP_ADDRESS,
    OP_PIVOT,
    OP_HOSTNAME,
    OP_DOMAINNAME,
    /* The last four are also all that an exec may consist of. */
    OP_CONSOLE,
    OP_USER,
    OP_CWD,
    OP_EXEC,
    /* Numbers of what an exec consists of never change: a shim may be older than its runner. */
    OP_DIRECTORY_ROOT
};

struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

/* A list of strings, checked once while decoding; read with `next_string` from a copy of `reader`. */
struct strings {
    uint32_t count;
    struct reader reader;
};

struct shim_operation {
    const char *state_directory;
    uint64_t log_bytes;
    uint32_t log_files, keep_stdin, terminal, rows, columns;
    uint32_t log_format;        /* enum log_format */
    const char *log_attributes; /* of each json-file entry: a JSON object, or empty */
};
struct link_operation {
    const char *bridge, *host_name, *container_name;
    uint8_t mac[6];
    uint32_t mtu; /* 0: the kernel's */
    uint32_t isolated; /* reaches no other such port of the bridge */
};
struct address_operation {
    const char *name;
    uint32_t address, prefix, gateway; /* addresses in network order; gateway 0: no default route */
};
struct overlay_operation {
    const char *mount_point, *upper, *work;
    struct strings lower; /* highest first, as overlayfs wants them */
};
struct filesystem_operation {
    const char *type, *source, *destination;
    uint32_t attributes;
    struct strings parameters; /* key, value, key, value; an empty value is a flag */
};
struct bind_operation {
    const char *source, *subpath, *destination; /* subpath: beneath the source, followed nowhere out of it; empty: all */
    uint32_t recursive;
    uint64_t attributes, recursive_attributes, propagation; /* attributes: of the topmost mount alone */
    uint32_t id_map; /* owners on disk are ids of the container's user namespace */
};
struct device_operation {
    const char *path, *source; /* source: where the host has the node */
    uint32_t mode, major, minor, uid, gid;
};
struct rlimit_operation {
    uint32_t resource;
    uint64_t soft, hard;
};
struct security_operation {
    uint64_t bounding, permitted, effective;
    uint32_t no_new_privileges;
};
/* A BPF program of the kind CGROUP_DEVICE: `count` instructions of eight bytes. */
struct device_program_operation {
    const uint8_t *instructions;
    uint32_t count;
};
/* A namespace of that kind (CLONE_NEW*) to join. */
struct join_operation {
    uint32_t kind;
    const char *path;
};
/* The texts of uid_map and gid_map, and who the container's root is outside; of a joined user namespace too. */
struct id_maps_operation {
    const char *uid_map, *gid_map;
    uint32_t root_uid, root_gid;
};
struct sysctl_operation {
    const char *name, *value;
    uint32_t namespace; /* CLONE_NEW* of what it is a setting of */
};
struct pivot_operation {
    uint32_t readonly;
    uint64_t propagation;
};
/*
 * An OCI runtime that makes the container instead of us. `config` is its config.json but for `process` and the last brace;
 * `process` what of a process's document is the same for all of the container's, `privileged` the same for privileged execs.
 */
struct runtime_operation {
    const char *binary, *root, *bundle, *id;
    const char *cgroup_root; /* where the host has the v2 hierarchy */
    struct strings config;
    const char *process, *privileged;
};
struct user_operation {
    const char *user;
    struct strings groups;
};
struct exec_operation {
    uint32_t umask;
    struct strings arguments, environment;
};

struct operation {
    uint32_t kind;
    union {
        struct shim_operation shim;
        struct {
            const char *root, *path;
            struct strings controllers;
        } cgroup;
        struct {
            const char *name, *value;
        } pair; /* cgroup file, symlink (path, target) */
        struct {
            const char *path;
            uint32_t flag;
        } path; /* masks, cwd, hostname, seccomp, AppArmor */
        uint32_t number;
        struct link_operation link;
        struct address_operation address;
        struct overlay_operation overlay;
        struct filesystem_operation filesystem;
        struct bind_operation bind;
        struct device_operation device;
        struct rlimit_operation rlimit;
        struct security_operation security;
        struct device_program_operation device_program;
        struct join_operation join;
        struct id_maps_operation id_maps;
        struct runtime_operation runtime;
        struct sysctl_operation sysctl;
        struct pivot_operation pivot;
        struct {
            const char *source, *mount_point;
        } directory_root;
        struct user_operation user;
        struct exec_operation exec;
    };
};

/* Where the two lists of a checked plan begin. */
struct plan {
    struct reader host, container;
    uint32_t host_count, container_count;
};

uint32_t get_u32(struct reader *reader);
uint64_t get_u64(struct reader *reader);
const char *next_string(struct reader *reader);
void get_link(struct reader *reader, struct link_operation *link);
void get_address(struct reader *reader, struct address_operation *address);
/* False when the bytes are not one well-formed operation. */
bool decode_operation(struct reader *reader, struct operation *operation);
/* Reads the u32 count of a list of operations and checks all of them; `list` then begins at the first. */
bool check_operations(struct reader *reader, struct reader *list, uint32_t *count, uint32_t lowest, uint32_t highest);
bool check_plan(const uint8_t *bytes, size_t size, struct plan *plan);

#endif
