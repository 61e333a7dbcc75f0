/**
 * The part of an OCI runtime spec (runtime-spec, config.md and config-linux.md) that we write and perform. Field names
 * are the specification's; it is made by `runner/container/spec.ts` and read by `runner/launcher/plan.ts`.
 */
export interface RuntimeSpec {
  readonly ociVersion: '1.2.0';
  readonly process: {
    readonly terminal: boolean;
    readonly consoleSize?: { readonly height: number; readonly width: number };
    readonly user: {
      readonly uid: number;
      readonly gid: number;
      readonly additionalGids: readonly number[];
      readonly umask?: number;
    };
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
    /** What we do not have ourselves is left out. */
    readonly capabilities: {
      readonly bounding: readonly string[];
      readonly effective: readonly string[];
      readonly permitted: readonly string[];
      readonly inheritable: readonly string[];
      readonly ambient: readonly string[];
    };
    readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
    readonly noNewPrivileges: boolean;
    readonly oomScoreAdj?: number;
    /** AppArmor profile that the process changes to at execve; a launch fails where the kernel has no AppArmor. */
    readonly apparmorProfile?: string;
  };
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly domainname?: string;
  readonly mounts: readonly RuntimeMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: {
    readonly namespaces: readonly RuntimeNamespace[];
    /** Both, with a user namespace (a joined one has them already); ids outside of them do not exist in the container. */
    readonly uidMappings?: readonly IdMapping[];
    readonly gidMappings?: readonly IdMapping[];
    readonly devices: readonly RuntimeDevice[];
    readonly cgroupsPath: string;
    readonly resources: RuntimeResources;
    readonly seccomp?: SeccompProfile;
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    readonly sysctl: Readonly<Record<string, string>>;
    readonly rootfsPropagation: 'private' | 'rprivate' | 'slave' | 'rslave' | 'shared' | 'rshared';
  };
}

/**
 * A namespace of the container: a new one, or with `path` the one of that file (`/proc/PID/ns/net`). The runner's own of
 * every type that is not listed; `mount` is always there, and new.
 */
export interface RuntimeNamespace {
  readonly type: NamespaceType;
  readonly path?: string;
}

/** `size` ids from `containerID` on are those from `hostID` on outside. */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export type NamespaceType = 'mount' | 'pid' | 'network' | 'ipc' | 'uts' | 'cgroup' | 'user' | 'time';

export interface RuntimeMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  /** Not of the specification: the part of a bind's source that is mounted; no symbolic link leads out of the source. */
  readonly subpath?: string;
  /**
   * mount(8) option words: flags (`nosuid`, `ro`, `bind`, `rprivate` …) and file-system data (`mode=755`). `idmap` on a bind
   * in a container with a user namespace of its own: the owners on disk are ids of the container (what its root writes
   * belongs to the host's root there), as they always are for the layers. Without it the owners are the host's.
   */
  readonly options: readonly string[];
}

/** A node at `path`. For a fifo (`p`) the numbers are 0. In a user namespace it is the host's node, bound with its owner. */
export interface RuntimeDevice {
  readonly path: string;
  /** Where the host has the node; absent: at `path`. Needed where a node cannot be made, as in a user namespace. */
  readonly source?: string;
  readonly type: 'c' | 'b' | 'p';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What may be done with a device: make nodes of it (`m`), read (`r`), write (`w`). Absent: any type, any number, all. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: 'c' | 'b';
  readonly major?: number;
  readonly minor?: number;
  readonly access?: string;
}

export interface BlockDevice {
  readonly major: number;
  readonly minor: number;
}

/** Bytes or operations a second. */
export interface BlockDeviceRate extends BlockDevice {
  readonly rate: number;
}

/** Limits; absent means no limit. Bytes, microseconds, counts. */
export interface RuntimeResources {
  readonly memory?: { readonly limit?: number; readonly swap?: number; readonly reservation?: number };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    /** 10 to 1000. */
    readonly weight?: number;
    readonly weightDevice?: readonly (BlockDevice & { readonly weight: number })[];
    readonly throttleReadBpsDevice?: readonly BlockDeviceRate[];
    readonly throttleWriteBpsDevice?: readonly BlockDeviceRate[];
    readonly throttleReadIOPSDevice?: readonly BlockDeviceRate[];
    readonly throttleWriteIOPSDevice?: readonly BlockDeviceRate[];
  };
  /** Page size as the kernel names it (`2MB`), and bytes. */
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  /** The last rule that matches decides. Absent: no device is refused. */
  readonly devices?: readonly DeviceRule[];
  /** cgroup v2 files written as they are (runtime-spec `linux.resources.unified`). */
  readonly unified?: Readonly<Record<string, string>>;
}

export type SeccompAction =
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_TRACE';

export type SeccompFlag = 'SECCOMP_FILTER_FLAG_TSYNC' | 'SECCOMP_FILTER_FLAG_LOG' | 'SECCOMP_FILTER_FLAG_SPEC_ALLOW';

export interface SeccompProfile {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  /** seccomp(2) flags that change what happens: all but TSYNC, which a process that is alone does not need. */
  readonly flags?: readonly SeccompFlag[];
  /** Empty: the host's own. */
  readonly architectures: readonly string[];
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: SeccompAction;
    readonly errnoRet?: number;
    readonly args?: readonly {
      readonly index: number;
      /**
       * The operand, 64 bits, a bigint beyond what a number holds exactly; of SCMP_CMP_MASKED_EQ the mask, and `valueTwo`
       * what remains.
       */
      readonly value: number | bigint;
      readonly valueTwo?: number | bigint;
      readonly op: string;
    }[];
  }[];
}
