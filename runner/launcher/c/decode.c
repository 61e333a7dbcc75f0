/* Decodes plans. Nothing here makes a syscall, so that it can be fuzzed; a plan is checked whole before any of it runs. */
#define _GNU_SOURCE
#include "plan.h"

#include <string.h>

static const uint8_t *take(struct reader *reader, size_t size) {
    static const uint8_t nothing[8];
    if (reader->bad || reader->left < size) {
        reader->bad = true;
        return nothing;
    }
    const uint8_t *at = reader->at;
    reader->at += size;
    reader->left -= size;
    return at;
}

uint32_t get_u32(struct reader *reader) {
    const uint8_t *b = take(reader, 4);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t get_u64(struct reader *reader) {
    uint64_t low = get_u32(reader);
    return low | (uint64_t)get_u32(reader) << 32;
}

/* A NUL inside would make C see another string than the one that was checked, so it is refused. */
const char *next_string(struct reader *reader) {
    uint32_t length = get_u32(reader);
    if (length > MAX_STRING) reader->bad = true;
    const char *text = (const char *)take(reader, reader->bad ? 0 : (size_t)length + 1);
    if (reader->bad) return "";
    if (memchr(text, 0, (size_t)length + 1) != text + length) {
        reader->bad = true;
        return "";
    }
    return text;
}

static struct strings get_strings(struct reader *reader) {
    struct strings strings = {.count = get_u32(reader)};
    if (strings.count > MAX_STRINGS) reader->bad = true;
    strings.reader = *reader;
    for (uint32_t i = 0; i < strings.count && !reader->bad; i++) next_string(reader);
    return strings;
}

void get_link(struct reader *reader, struct link_operation *link) {
    link->bridge = next_string(reader);
    link->host_name = next_string(reader);
    link->container_name = next_string(reader);
    memcpy(link->mac, take(reader, 6), 6);
    link->mtu = get_u32(reader);
    link->isolated = get_u32(reader);
}

void get_address(struct reader *reader, struct address_operation *address) {
    address->name = next_string(reader);
    address->address = get_u32(reader);
    address->prefix = get_u32(reader);
    address->gateway = get_u32(reader);
    if (address->prefix > 32) reader->bad = true;
}

static void decode_host(struct reader *r, struct operation *o) {
    switch (o->kind) {
    case OP_SHIM:
        o->shim.state_directory = next_string(r);
        o->shim.log_bytes = get_u64(r);
        o->shim.log_files = get_u32(r);
        o->shim.keep_stdin = get_u32(r);
        o->shim.terminal = get_u32(r);
        o->shim.rows = get_u32(r);
        o->shim.columns = get_u32(r);
        o->shim.log_format = get_u32(r);
        o->shim.log_attributes = next_string(r);
        break;
    case OP_CGROUP:
        o->cgroup.root = next_string(r);
        o->cgroup.path = next_string(r);
        o->cgroup.controllers = get_strings(r);
        break;
    case OP_CGROUP_FILE:
        o->pair.name = next_string(r);
        o->pair.value = next_string(r);
        if (strchr(o->pair.name, '/')) r->bad = true;
        break;
    case OP_NAMESPACES:
    case OP_OOM_SCORE: o->number = get_u32(r); break;
    case OP_LINK: get_link(r, &o->link); break;
    case OP_SECCOMP:
        o->path.path = next_string(r);
        o->path.flag = get_u32(r);
        break;
    case OP_APPARMOR: o->path.path = next_string(r); break;
    case OP_RUNTIME:
        o->runtime.binary = next_string(r);
        o->runtime.root = next_string(r);
        o->runtime.bundle = next_string(r);
        o->runtime.id = next_string(r);
        o->runtime.cgroup_root = next_string(r);
        o->runtime.config = get_strings(r);
        o->runtime.process = next_string(r);
        o->runtime.privileged = next_string(r);
        if (o->runtime.binary[0] != '/' || o->runtime.id[0] == '-') r->bad = true;
        break;
    case OP_JOIN:
        o->join.kind = get_u32(r);
        o->join.path = next_string(r);
        break;
    case OP_ID_MAPS:
        o->id_maps.uid_map = next_string(r);
        o->id_maps.gid_map = next_string(r);
        o->id_maps.root_uid = get_u32(r);
        o->id_maps.root_gid = get_u32(r);
        break;
    case OP_SECURITY:
        o->security.bounding = get_u64(r);
        o->security.permitted = get_u64(r);
        o->security.effective = get_u64(r);
        o->security.no_new_privileges = get_u32(r);
        break;
    case OP_RLIMIT:
        o->rlimit.resource = get_u32(r);
        o->rlimit.soft = get_u64(r);
        o->rlimit.hard = get_u64(r);
        break;
    case OP_DEVICE_PROGRAM:
        o->device_program.count = get_u32(r);
        if (o->device_program.count == 0 || o->device_program.count > MAX_INSTRUCTIONS) r->bad = true;
        o->device_program.instructions = take(r, r->bad ? 0 : (size_t)o->device_program.count * 8);
        break;
    default: r->bad = true;
    }
}

static void decode_mount(struct reader *r, struct operation *o) {
    switch (o->kind) {
    case OP_OVERLAY:
        o->overlay.mount_point = next_string(r);
        o->overlay.lower = get_strings(r);
        o->overlay.upper = next_string(r);
        o->overlay.work = next_string(r);
        break;
    case OP_FILESYSTEM:
        o->filesystem.type = next_string(r);
        o->filesystem.source = next_string(r);
        o->filesystem.destination = next_string(r);
        o->filesystem.attributes = get_u32(r);
        o->filesystem.parameters = get_strings(r);
        if (o->filesystem.parameters.count % 2) r->bad = true;
        break;
    case OP_BIND:
        o->bind.source = next_string(r);
        o->bind.subpath = next_string(r);
        o->bind.destination = next_string(r);
        o->bind.recursive = get_u32(r);
        o->bind.attributes = get_u64(r);
        o->bind.recursive_attributes = get_u64(r);
        o->bind.propagation = get_u64(r);
        o->bind.id_map = get_u32(r);
        break;
    case OP_DEVICE:
        o->device.path = next_string(r);
        o->device.source = next_string(r);
        o->device.mode = get_u32(r);
        o->device.major = get_u32(r);
        o->device.minor = get_u32(r);
        o->device.uid = get_u32(r);
        o->device.gid = get_u32(r);
        break;
    case OP_DIRECTORY_ROOT:
        o->directory_root.source = next_string(r);
        o->directory_root.mount_point = next_string(r);
        break;
    default: r->bad = true;
    }
}

static void decode_container(struct reader *r, struct operation *o) {
    switch (o->kind) {
    case OP_CGROUP_NAMESPACE:
    case OP_LOOPBACK: break;
    case OP_CONSOLE: o->number = get_u32(r); break;
    case OP_PIVOT:
        o->pivot.readonly = get_u32(r);
        o->pivot.propagation = get_u64(r);
        break;
    case OP_SYSCTL:
        o->sysctl.name = next_string(r);
        o->sysctl.value = next_string(r);
        o->sysctl.namespace = get_u32(r);
        break;
    case OP_SYMLINK:
        o->pair.name = next_string(r);
        o->pair.value = next_string(r);
        break;
    case OP_MASK:
    case OP_READONLY_PATH:
    case OP_HOSTNAME:
    case OP_DOMAINNAME: o->path.path = next_string(r); break;
    case OP_CWD:
        o->path.path = next_string(r);
        o->path.flag = get_u32(r);
        break;
    case OP_ADDRESS: get_address(r, &o->address); break;
    case OP_USER:
        o->user.user = next_string(r);
        o->user.groups = get_strings(r);
        break;
    case OP_EXEC:
        o->exec.umask = get_u32(r);
        o->exec.arguments = get_strings(r);
        o->exec.environment = get_strings(r);
        if (o->exec.arguments.count == 0) r->bad = true;
        break;
    default: decode_mount(r, o);
    }
}

bool decode_operation(struct reader *reader, struct operation *operation) {
    memset(operation, 0, sizeof(*operation));
    operation->kind = get_u32(reader);
    uint32_t length = get_u32(reader);
    struct reader payload = {.at = take(reader, length), .left = length, .bad = reader->bad};
    if (operation->kind < OP_CGROUP_NAMESPACE)
        decode_host(&payload, operation);
    else
        decode_container(&payload, operation);
    /* What is left over was meant by an encoder of another version: it must not be ignored. */
    if (payload.bad || payload.left != 0) reader->bad = true;
    return !reader->bad;
}

bool check_operations(struct reader *reader, struct reader *list, uint32_t *count, uint32_t lowest, uint32_t highest) {
    *count = get_u32(reader);
    if (*count > MAX_OPERATIONS) return false;
    *list = *reader;
    struct operation operation;
    for (uint32_t i = 0; i < *count; i++) {
        if (!decode_operation(reader, &operation)) return false;
        if (operation.kind < lowest || operation.kind > highest) return false;
    }
    return !reader->bad;
}

bool check_plan(const uint8_t *bytes, size_t size, struct plan *plan) {
    struct reader reader = {.at = bytes, .left = size};
    if (get_u32(&reader) != PLAN_MAGIC) return false;
    return check_operations(&reader, &plan->host, &plan->host_count, OP_SHIM, OP_RUNTIME) &&
           check_operations(&reader, &plan->container, &plan->container_count, OP_CGROUP_NAMESPACE, OP_DIRECTORY_ROOT) &&
           reader.left == 0;
}
