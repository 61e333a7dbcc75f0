/** RLIMIT_* numbers of <asm-generic/resource.h>. */
export const rlimitNumbers: ReadonlyMap<string, number> = new Map(
  'CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME'
    .split(' ')
    .map((name, number) => [`RLIMIT_${name}`, number] as const),
);

/** CLONE_NEW* of <linux/sched.h>, by OCI namespace type. */
export const namespaceFlags = {
  mount: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
  time: 0x0000_0080,
} as const;

/** MOUNT_ATTR_* of <linux/mount.h>. */
export const mountAttributes = {
  readonly: 0x01,
  nosuid: 0x02,
  nodev: 0x04,
  noexec: 0x08,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  nosymfollow: 0x20_0000,
} as const;

/** MS_* propagation types of <linux/mount.h>. */
export const propagationFlags = { private: 1 << 18, slave: 1 << 19, shared: 1 << 20 } as const;

/** File type bits of <linux/stat.h>, by OCI device type. */
export const deviceTypeBits = { c: 0o020000, b: 0o060000, p: 0o010000 } as const;
