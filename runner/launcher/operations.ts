/**
 * The launch plan: what the C launcher does to make one container, in order. `host` operations are performed by the
 * container's shim, `container` operations by the container's first process on its way to execve.
 */
export interface LaunchPlan {
  readonly host: readonly HostOperation[];
  readonly container: readonly ContainerOperation[];
}

export type HostOperation =
  | {
      readonly kind: 'shim';
      readonly stateDirectory: string;
      readonly logBytes: number;
      readonly logFiles: number;
      readonly keepStdin: boolean;
      readonly terminal: boolean;
      readonly rows: number;
      readonly columns: number;
      /** Of the log; absent: json-file, without attributes. */
      readonly logFormat?: 'json-file' | 'local' | 'none';
      readonly logAttributes?: string;
    }
  /** Makes `path` below `root`, the cgroup v2 mount; new parents get `controllers`. */
  | { readonly kind: 'cgroup'; readonly root: string; readonly path: string; readonly controllers: readonly string[] }
  | { readonly kind: 'cgroup-file'; readonly name: string; readonly value: string }
  /** A BPF_PROG_TYPE_CGROUP_DEVICE program for the container's cgroup: whole instructions of eight bytes. */
  | { readonly kind: 'device-program'; readonly program: Uint8Array }
  /** CLONE_NEW* bits of the namespaces that are new, but for the cgroup namespace. */
  | { readonly kind: 'namespaces'; readonly flags: number }
  /** One to join, by its CLONE_NEW* bit; follows `namespaces`. */
  | { readonly kind: 'join'; readonly flag: number; readonly path: string }
  /** For a new user namespace: the content of uid_map and gid_map, and who its root is outside. */
  | {
      readonly kind: 'id-maps';
      readonly uidMap: string;
      readonly gidMap: string;
      readonly rootUid: number;
      readonly rootGid: number;
    }
  | { readonly kind: 'apparmor'; readonly profile: string }
  /** An OCI runtime that makes the container; `root` is where it notes what it has made. See `RuntimeDocuments`. */
  | {
      readonly kind: 'runtime';
      readonly binary: string;
      readonly root: string;
      readonly bundle: string;
      readonly containerId: string;
      readonly cgroupRoot: string;
      readonly config: readonly string[];
      readonly process: string;
      readonly privileged: string;
    }
  | {
      readonly kind: 'link';
      readonly bridge: string;
      readonly hostName: string;
      readonly containerName: string;
      readonly mac: readonly number[];
      /** 0: the kernel's. */
      readonly mtuBytes: number;
      readonly isolated: boolean;
    }
  | { readonly kind: 'oom-score'; readonly value: number }
  /** A file of `struct sock_filter`, and SECCOMP_FILTER_FLAG_* bits. */
  | { readonly kind: 'seccomp'; readonly path: string; readonly flags: number }
  /** Capability sets as bit masks; inheritable and ambient are always empty. */
  | {
      readonly kind: 'security';
      readonly bounding: bigint;
      readonly permitted: bigint;
      readonly effective: bigint;
      readonly noNewPrivileges: boolean;
    }
  /** RLIMIT_* number; 2^64-1 is no limit. */
  | { readonly kind: 'rlimit'; readonly resource: number; readonly soft: bigint; readonly hard: bigint };

export type ContainerOperation =
  | { readonly kind: 'cgroup-namespace' }
  | {
      readonly kind: 'overlay';
      readonly mountPoint: string;
      /** Highest first. */
      readonly lower: readonly string[];
      readonly upper: string;
      readonly work: string;
    }
  | { readonly kind: 'directory-root'; readonly source: string; readonly mountPoint: string }
  | {
      readonly kind: 'filesystem';
      readonly type: string;
      readonly source: string;
      readonly destination: string;
      /** MOUNT_ATTR_* bits. */
      readonly attributes: number;
      /** Superblock parameters; an empty value is a flag. */
      readonly parameters: readonly (readonly [key: string, value: string])[];
    }
  | {
      readonly kind: 'bind';
      readonly source: string;
      /** Beneath the source, no symbolic link followed out of it; empty: all of it. */
      readonly subpath: string;
      readonly destination: string;
      readonly recursive: boolean;
      /** Of the topmost mount alone. */
      readonly attributes: number;
      /** Of all mounts, where it is recursive. */
      readonly recursiveAttributes: number;
      /** MS_PRIVATE, MS_SLAVE or MS_SHARED. */
      readonly propagation: number;
      readonly idMap: boolean;
    }
  | {
      readonly kind: 'device';
      readonly path: string;
      /** Where the host has it, to be bound when it cannot be made. */
      readonly source: string;
      /** Type and permission bits. */
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  /** Opens the pty in the container's devpts; `mount`: also as /dev/console. */
  | { readonly kind: 'console'; readonly mount: boolean }
  | { readonly kind: 'mask'; readonly path: string }
  | { readonly kind: 'readonly-path'; readonly path: string }
  /** Name with slashes, below /proc/sys; CLONE_NEW* bit of the namespace whose setting it is. */
  | { readonly kind: 'sysctl'; readonly name: string; readonly value: string; readonly namespace: number }
  | { readonly kind: 'loopback' }
  /** Waits for the host's side of the links; IPv4 as four bytes, gateway empty for none. */
  | {
      readonly kind: 'address';
      readonly name: string;
      readonly address: readonly number[];
      readonly prefixLength: number;
      readonly gateway: readonly number[];
    }
  /** `propagation`: MS_PRIVATE, MS_SLAVE or MS_SHARED, of the new root. */
  | { readonly kind: 'pivot'; readonly readonly: boolean; readonly propagation: number }
  | { readonly kind: 'hostname'; readonly name: string }
  | { readonly kind: 'domainname'; readonly name: string }
  | { readonly kind: 'user'; readonly user: string; readonly groups: readonly string[] }
  | { readonly kind: 'cwd'; readonly path: string; readonly create: boolean }
  | {
      readonly kind: 'exec';
      readonly umask: number;
      readonly args: readonly string[];
      readonly env: readonly string[];
    };
