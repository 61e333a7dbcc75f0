import type { RuntimeMount, RuntimeNamespace, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { defaultMounts } from '../security/mounts.ts';
import type { Architecture } from '../security/seccomp-rules.ts';
import type { ContainerConfig } from './config.ts';
import { runtimeMounts } from './mount-spec.ts';
import {
  initMounts,
  isolationArgs,
  isolationDeviceRules,
  isolationLinux,
  isolationMounts,
  isolationNamespaces,
  isolationProcess,
  isolationSeccomp,
  withMappedOwners,
  type IsolationContext,
} from './isolation-spec.ts';
import { resourceSpec, type BlockDevices } from './resource-spec.ts';

/** What a spec is made from beside the container's config. Paths are absolute and on the host. */
export interface SpecContext {
  readonly containerId: string;
  /** The files that are bound over /etc/hostname, /etc/hosts and /etc/resolv.conf. */
  readonly files: { readonly hostname: string; readonly hosts: string; readonly resolvConf: string };
  /** What the container was given to mount (`prepareMounts`). */
  readonly mounts: readonly RuntimeMount[];
  /** The container's own network namespace, or whose it joins; empty: the host's. */
  readonly networkNamespaces: readonly RuntimeNamespace[];
  /** Path in the cgroup hierarchy, from its root (`/berth-1a2b3c4d/<id>`). */
  readonly cgroupsPath: string;
  /** cgroup controllers in force: limits of the others are left out, as Docker discards them. */
  readonly controllers: readonly string[];
  /** Of the config's block limits. */
  readonly blockDevices?: BlockDevices;
  readonly architecture: Architecture;
  /** Kernel release as uname prints it. */
  readonly kernel: string;
  /** Paths that are masked because this host has them. */
  readonly hostMaskedPaths: readonly string[];
  readonly isolation: IsolationContext;
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The OCI runtime spec of a container: its config upon Docker's defaults. `process.user` is root here; the launcher
 * looks the config's user up in the container's own /etc/passwd.
 */
export function runtimeSpec(config: ContainerConfig, context: SpecContext): RuntimeSpec {
  const { isolation } = context;
  const process = isolationProcess(config, isolation);
  const seccomp = isolationSeccomp(config, context, process.capabilities.bounding);
  const namespaces = [...isolationNamespaces(config, isolation), ...context.networkNamespaces];
  return {
    ociVersion: '1.2.0',
    process: {
      terminal: config.terminal,
      user: { uid: 0, gid: 0, additionalGids: [] },
      args: isolationArgs(config.args, isolation),
      env: processEnvironment(config),
      cwd: config.workingDirectory === '' ? '/' : config.workingDirectory,
      rlimits: config.rlimits.map(({ type, soft, hard }) => ({ type: rlimitName(type), soft, hard })),
      ...process,
    },
    root: { path: 'rootfs', readonly: config.readonlyRootfs },
    hostname: config.hostname,
    ...(config.domainname === '' ? {} : { domainname: config.domainname }),
    mounts: [
      ...runtimeMounts({
        defaults: isolationMounts(config, isolation, defaultMounts(config.shmBytes)),
        files: withMappedOwners(isolation, fileMounts(context.files, config.readonlyRootfs)),
        own: ownersOfVolumes(config, isolation, context.mounts),
      }),
      ...initMounts(isolation),
    ],
    annotations: {},
    linux: {
      ...isolationLinux(config, isolation, { namespaces, maskedPaths: context.hostMaskedPaths }),
      cgroupsPath: context.cgroupsPath,
      resources: {
        devices: isolationDeviceRules(config, isolation),
        ...resourceSpec(config, context.controllers, context.blockDevices),
      },
      ...(seccomp === undefined ? {} : { seccomp }),
      rootfsPropagation: 'rprivate',
    },
  };
}

/** With a user namespace, volumes are the container's own. */
function ownersOfVolumes(
  config: ContainerConfig,
  isolation: IsolationContext,
  mounts: readonly RuntimeMount[],
): readonly RuntimeMount[] {
  const volumes = new Set(config.mounts.flatMap((one) => (one.kind === 'volume' ? [one.destination] : [])));
  return mounts.flatMap((mount) => (volumes.has(mount.destination) ? withMappedOwners(isolation, [mount]) : [mount]));
}

/**
 * The environment of a container's processes: Docker's defaults (PATH, HOSTNAME, and TERM with a terminal), overridden
 * by the config's. An entry without `=` takes a variable away.
 */
export function processEnvironment(
  config: Pick<ContainerConfig, 'environment' | 'hostname' | 'terminal'>,
): readonly string[] {
  const values = new Map<string, string>([
    ['PATH', defaultPath],
    ['HOSTNAME', config.hostname],
  ]);
  if (config.terminal) values.set('TERM', 'xterm');
  for (const entry of config.environment) {
    const at = entry.indexOf('=');
    if (at < 0) values.delete(entry);
    else values.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return [...values].map(([name, value]) => `${name}=${value}`);
}

/** `nofile` and `RLIMIT_NOFILE` are both written (Compose and OCI). */
function rlimitName(type: string): string {
  const name = type.toUpperCase();
  return name.startsWith('RLIMIT_') ? name : `RLIMIT_${name}`;
}

/** As with Docker, they are read-only where the root is. */
function fileMounts(files: SpecContext['files'], readonly: boolean): RuntimeMount[] {
  const bind = (source: string, destination: string): RuntimeMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', ...(readonly ? ['ro'] : [])],
  });
  return [
    bind(files.resolvConf, '/etc/resolv.conf'),
    bind(files.hostname, '/etc/hostname'),
    bind(files.hosts, '/etc/hosts'),
  ];
}
