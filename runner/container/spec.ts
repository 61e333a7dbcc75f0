import type { RuntimeMount, RuntimeNamespace, RuntimeResources, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { defaultCapabilities } from '../security/capabilities.ts';
import { defaultDeviceRules } from '../security/device-rules.ts';
import { defaultDevices } from '../security/devices.ts';
import { defaultMounts } from '../security/mounts.ts';
import { maskedPaths, readonlyPaths } from '../security/paths.ts';
import type { Architecture } from '../security/seccomp-rules.ts';
import { seccompProfile } from '../security/seccomp.ts';
import type { ContainerConfig } from './config.ts';

/** What a spec is made from beside the container's config. Paths are absolute and on the host. */
export interface SpecContext {
  readonly containerId: string;
  /** The files that are bound over /etc/hostname, /etc/hosts and /etc/resolv.conf. */
  readonly files: { readonly hostname: string; readonly hosts: string; readonly resolvConf: string };
  /** The container's own network namespace, or whose it joins; empty: the host's. */
  readonly networkNamespaces: readonly RuntimeNamespace[];
  /** Path in the cgroup hierarchy, from its root (`/berth-1a2b3c4d/<id>`). */
  readonly cgroupsPath: string;
  /** cgroup controllers in force: limits of the others are left out, as Docker discards them. */
  readonly controllers: readonly string[];
  readonly architecture: Architecture;
  /** Kernel release as uname prints it. */
  readonly kernel: string;
  /** Paths that are masked because this host has them. */
  readonly hostMaskedPaths: readonly string[];
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The OCI runtime spec of a container: its config upon Docker's defaults. `process.user` is root here; the launcher
 * looks the config's user up in the container's own /etc/passwd.
 */
export function runtimeSpec(config: ContainerConfig, context: SpecContext): RuntimeSpec {
  return {
    ociVersion: '1.2.0',
    process: {
      terminal: config.terminal,
      user: { uid: 0, gid: 0, additionalGids: [] },
      args: config.args,
      env: processEnvironment(config),
      cwd: config.workingDirectory === '' ? '/' : config.workingDirectory,
      capabilities: {
        bounding: defaultCapabilities,
        effective: defaultCapabilities,
        permitted: defaultCapabilities,
        // Empty, so that no program of the image can gain one by file capabilities (CVE-2022-29162 and kin).
        inheritable: [],
        ambient: [],
      },
      rlimits: config.rlimits.map(({ type, soft, hard }) => ({ type: rlimitName(type), soft, hard })),
      noNewPrivileges: config.noNewPrivileges,
      oomScoreAdj: 0,
    },
    root: { path: 'rootfs', readonly: config.readonlyRootfs },
    hostname: config.hostname,
    ...(config.domainname === '' ? {} : { domainname: config.domainname }),
    mounts: [...defaultMounts(config.shmBytes), ...fileMounts(context.files)],
    annotations: {},
    linux: {
      namespaces: [
        ...(['mount', 'pid', 'ipc', 'uts', 'cgroup'] as const).map((type) => ({ type })),
        ...context.networkNamespaces,
      ],
      devices: defaultDevices,
      cgroupsPath: context.cgroupsPath,
      resources: resources(config, context.controllers),
      seccomp: seccompProfile({ ...context, capabilities: defaultCapabilities }),
      maskedPaths: maskedPaths(context.hostMaskedPaths),
      readonlyPaths,
      sysctl: networkSysctls(context.networkNamespaces),
      rootfsPropagation: 'rprivate',
    },
  };
}

/** In a network namespace of its own a container may bind low ports and ping without a capability. */
function networkSysctls(namespaces: readonly RuntimeNamespace[]): Readonly<Record<string, string>> {
  if (!namespaces.some(({ path }) => path === undefined)) return {};
  return { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };
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

function fileMounts(files: SpecContext['files']): RuntimeMount[] {
  const bind = (source: string, destination: string): RuntimeMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate'],
  });
  return [
    bind(files.resolvConf, '/etc/resolv.conf'),
    bind(files.hostname, '/etc/hostname'),
    bind(files.hosts, '/etc/hosts'),
  ];
}

/** As with Docker, a memory limit without a swap limit allows as much swap again. */
function resources(config: ContainerConfig, controllers: readonly string[]): RuntimeResources {
  const memory = config.memoryBytes > 0 && controllers.includes('memory');
  const pids = config.pidsLimit > 0 && controllers.includes('pids');
  return {
    devices: defaultDeviceRules,
    ...(memory ? { memory: { limit: config.memoryBytes, swap: config.memoryBytes * 2 } } : {}),
    ...(pids ? { pids: { limit: config.pidsLimit } } : {}),
  };
}

/** The limits of a config that cannot be enforced on a host with these controllers, in words. */
export function discardedLimits(config: ContainerConfig, controllers: readonly string[]): readonly string[] {
  const wanted = [
    { controller: 'memory', asked: config.memoryBytes > 0 },
    { controller: 'pids', asked: config.pidsLimit > 0 },
  ];
  return wanted
    .filter(({ controller, asked }) => asked && !controllers.includes(controller))
    .map((one) => one.controller);
}
