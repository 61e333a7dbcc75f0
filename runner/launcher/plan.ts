import type { NamespaceType, RuntimeMount, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { capabilityNumbers } from '../security/capability-numbers.ts';
import { cgroupFiles } from './cgroup-limits.ts';
import { deviceProgram } from './device-program.ts';
import type { LaunchRequest, LinkSpec } from './launcher.ts';
import { deviceTypeBits, propagationFlags, rlimitNumbers } from './linux-numbers.ts';
import { parseMountOptions } from './mount-options.ts';
import { namespaceOperations, namespaceOrigin, sysctlNamespaceFlag } from './namespaces.ts';
import type { ContainerOperation, HostOperation, LaunchPlan } from './operations.ts';
import { invalid } from './plan-error.ts';
import { seccompFlags } from './seccomp-table.ts';

/** What the plan needs to know about the host. */
export interface PlanOptions {
  /** Mount point of the cgroup v2 hierarchy. */
  readonly cgroupRoot: string;
  /** Controllers that containers get. */
  readonly controllers: readonly string[];
  /** The files that a cgroup has; undefined: those of the controllers. */
  readonly cgroupFiles?: readonly string[] | undefined;
  /** The compiled form of `spec.linux.seccomp`; undefined when there is none. */
  readonly seccompProgram: string | undefined;
}

/** Bit mask of capability names (`CAP_CHOWN`). */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n;
  for (const name of names) {
    const number = capabilityNumbers.get(name.replace(/^CAP_/, ''));
    if (number === undefined) throw invalid(`unknown capability "${name}"`);
    mask |= 1n << BigInt(number);
  }
  return mask;
}

/** The bytes of a dotted quad. */
export function parseAddress(text: string): readonly number[] {
  const parts = text.split('.');
  const bytes = parts.map(Number);
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part)) || bytes.some((byte) => byte > 255)) {
    throw invalid(`"${text}" is not an IPv4 address`);
  }
  return bytes;
}

function parseMac(text: string): readonly number[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw invalid(`"${text}" is not a MAC address`);
  return text.split(':').map((part) => Number.parseInt(part, 16));
}

/** RLIM_INFINITY for what JSON cannot hold exactly, which is what -1 and 2^64-1 become on their way. */
function limit(value: number): bigint {
  return value < 0 || value > Number.MAX_SAFE_INTEGER ? 0xffff_ffff_ffff_ffffn : BigInt(value);
}

function rlimits(spec: RuntimeSpec): HostOperation[] {
  return spec.process.rlimits.map(({ type, soft, hard }) => {
    const resource = rlimitNumbers.get(type);
    if (resource === undefined) throw invalid(`unknown resource limit "${type}"`);
    return { kind: 'rlimit', resource, soft: limit(soft), hard: limit(hard) };
  });
}

function mount(entry: RuntimeMount, hasUserNamespace: boolean): ContainerOperation {
  const options = parseMountOptions(
    entry.type,
    entry.options.filter((word) => word !== 'idmap'),
  );
  const idMap = entry.options.includes('idmap');
  if (!entry.destination.startsWith('/')) throw invalid(`mount destination "${entry.destination}" is not absolute`);
  if (options.bind) {
    const { recursive, attributes, recursiveAttributes, propagation } = options;
    const { source, destination, subpath = '' } = entry;
    if (!source.startsWith('/')) throw invalid(`bind source "${source}" is not absolute`);
    if (/^\/(proc|sys)(\/|$)/.test(destination)) throw invalid(`"${destination}" must not be covered by a host's file`);
    if (idMap && !hasUserNamespace) throw invalid(`"idmap" of "${destination}" needs a user namespace`);
    const words = { recursive, attributes, recursiveAttributes, propagation, idMap };
    return { kind: 'bind', source, subpath, destination, ...words };
  }
  const type = entry.type === 'cgroup' ? 'cgroup2' : entry.type;
  const { attributes, parameters } = options;
  return { kind: 'filesystem', type, source: entry.source, destination: entry.destination, attributes, parameters };
}

function devices(spec: RuntimeSpec): ContainerOperation[] {
  // A /dev from outside has its own nodes, and must not be given any (as runc, "needsSetupDev").
  if (spec.mounts.some(({ destination, type }) => destination === '/dev' && type === 'bind')) return [];
  const links: readonly (readonly [string, string])[] = [
    ['/dev/fd', '/proc/self/fd'],
    ['/dev/stdin', '/proc/self/fd/0'],
    ['/dev/stdout', '/proc/self/fd/1'],
    ['/dev/stderr', '/proc/self/fd/2'],
    ['/dev/ptmx', 'pts/ptmx'],
    ['/dev/core', '/proc/kcore'],
  ];
  return [
    ...spec.linux.devices.map(({ path, source, type, fileMode, major, minor, uid, gid }): ContainerOperation => ({
      kind: 'device',
      path,
      source: source ?? path,
      mode: deviceTypeBits[type] | (fileMode & 0o777),
      major,
      minor,
      uid,
      gid,
    })),
    ...links.map(([path, target]): ContainerOperation => ({ kind: 'symlink', path, target })),
  ];
}

function sysctls(spec: RuntimeSpec): ContainerOperation[] {
  return Object.entries(spec.linux.sysctl).map(([name, value]) => {
    const path = name.replaceAll('.', '/');
    if (!/^[a-zA-Z0-9_/-]+$/.test(path)) throw invalid(`"${name}" is not a sysctl`);
    return { kind: 'sysctl', name: path, value, namespace: sysctlNamespaceFlag(spec, path) };
  });
}

/** A veth pair and the address of its end in the container, with a default route when it has a gateway. */
export function linkOperations(link: LinkSpec) {
  const { bridge, hostName, containerName, address, prefixLength, gateway, mtuBytes = 0, isolated = false } = link;
  return {
    link: { kind: 'link', bridge, hostName, containerName, mac: parseMac(link.macAddress), mtuBytes, isolated },
    address: {
      kind: 'address',
      name: containerName,
      address: parseAddress(address),
      prefixLength,
      gateway: gateway === '' ? [] : parseAddress(gateway),
    },
  } as const;
}

export function addresses(links: readonly LinkSpec[]): ContainerOperation[] {
  // One default route: by the first link that has a gateway.
  const leading = links.find(({ gateway }) => gateway !== '');
  return links.map((link) => linkOperations(link === leading ? link : { ...link, gateway: '' }).address);
}

/** What the shim makes for a container whoever makes that: its state, its cgroup with the limits, its links. */
export function containerHostOperations(
  request: LaunchRequest,
  options: Omit<PlanOptions, 'seccompProgram'>,
): HostOperation[] {
  const { spec } = request;
  const { consoleSize } = spec.process;
  return [
    {
      kind: 'shim',
      stateDirectory: request.stateDirectory,
      logBytes: request.log.maxBytes,
      logFiles: request.log.maxFiles,
      keepStdin: request.stdin,
      terminal: spec.process.terminal,
      rows: consoleSize?.height ?? 0,
      columns: consoleSize?.width ?? 0,
      ...(request.log.format === undefined ? {} : { logFormat: request.log.format }),
      ...(request.log.attributes === undefined ? {} : { logAttributes: request.log.attributes }),
    },
    { kind: 'cgroup', root: options.cgroupRoot, path: spec.linux.cgroupsPath, controllers: options.controllers },
    ...cgroupFiles(spec.linux.resources, options.controllers, options.cgroupFiles).map(
      ([name, value]): HostOperation => ({ kind: 'cgroup-file', name, value }),
    ),
    ...request.links.map((link): HostOperation => linkOperations(link).link),
    ...(spec.process.oomScoreAdj === undefined
      ? []
      : [{ kind: 'oom-score', value: spec.process.oomScoreAdj } satisfies HostOperation]),
  ];
}

function hostOperations(request: LaunchRequest, options: PlanOptions): HostOperation[] {
  const { spec } = request;
  const { capabilities } = spec.process;
  return [
    ...containerHostOperations(request, options),
    ...deviceControl(spec),
    ...namespaceOperations(spec, request.links),
    ...seccomp(spec, options),
    {
      kind: 'security',
      bounding: capabilityMask(capabilities.bounding),
      permitted: capabilityMask(capabilities.permitted),
      effective: capabilityMask(capabilities.effective),
      noNewPrivileges: spec.process.noNewPrivileges,
    },
    ...appArmor(spec),
    ...rlimits(spec),
  ];
}

export function rootMount({ root }: LaunchRequest, mountPoint: string): ContainerOperation {
  if (root.kind === 'directory') return { kind: 'directory-root', source: root.path, mountPoint };
  if (root.lower.length === 0) throw invalid('an image has at least one layer');
  const { upper, work } = root;
  return { kind: 'overlay', mountPoint, lower: root.lower.toReversed(), upper, work };
}

function rootPropagation({ linux }: RuntimeSpec): number {
  if (linux.rootfsPropagation.endsWith('shared')) return propagationFlags.shared;
  return linux.rootfsPropagation.endsWith('slave') ? propagationFlags.slave : propagationFlags.private;
}

export function deviceControl({ linux }: RuntimeSpec): HostOperation[] {
  const program = deviceProgram(linux.resources.devices ?? [{ allow: true }]);
  return program === undefined ? [] : [{ kind: 'device-program', program }];
}

function seccomp({ linux }: RuntimeSpec, { seccompProgram }: PlanOptions): HostOperation[] {
  if (linux.seccomp === undefined || seccompProgram === undefined) return [];
  return [{ kind: 'seccomp', path: seccompProgram, flags: seccompFlags(linux.seccomp) }];
}

function appArmor({ process }: RuntimeSpec): HostOperation[] {
  const profile = process.apparmorProfile ?? '';
  if (!/^[^\s\0]{0,255}$/.test(profile)) throw invalid(`"${profile}" is no name of an AppArmor profile`);
  return profile === '' ? [] : [{ kind: 'apparmor', profile }];
}

/**
 * The primitive operations that make this container, in the order in which they must happen. Device nodes come after
 * the mounts (one of which is /dev), masks after all that they might have to cover, network and names while the old root
 * is still there does not matter; user, working directory and execve when nothing of the host can be reached any more.
 *
 * @throws BerthError `launch.invalid`, `launch.unsupported`
 */
export function planLaunch(request: LaunchRequest, options: PlanOptions): LaunchPlan {
  const { spec } = request;
  const { maskedPaths, readonlyPaths } = spec.linux;
  const has = (type: NamespaceType): boolean => namespaceOrigin(spec, type) === 'new';
  const hasUserNamespace = namespaceOrigin(spec, 'user') !== 'host';
  const container: ContainerOperation[] = [
    ...(has('cgroup') ? [{ kind: 'cgroup-namespace' } satisfies ContainerOperation] : []),
    rootMount(request, request.stateDirectory),
    ...spec.mounts.map((entry) => mount(entry, hasUserNamespace)),
    ...devices(spec),
    ...(spec.process.terminal ? [{ kind: 'console', mount: true } satisfies ContainerOperation] : []),
    ...sysctls(spec),
    ...readonlyPaths.map((path): ContainerOperation => ({ kind: 'readonly-path', path })),
    ...maskedPaths.map((path): ContainerOperation => ({ kind: 'mask', path })),
    ...(has('uts') ? [{ kind: 'hostname', name: spec.hostname } satisfies ContainerOperation] : []),
    ...(has('uts') && spec.domainname !== undefined
      ? [{ kind: 'domainname', name: spec.domainname } satisfies ContainerOperation]
      : []),
    ...(has('network') ? [{ kind: 'loopback' } satisfies ContainerOperation] : []),
    ...addresses(request.links),
    { kind: 'user', user: request.user, groups: request.additionalGroups },
    { kind: 'cwd', path: spec.process.cwd, create: true },
    { kind: 'pivot', readonly: spec.root.readonly, propagation: rootPropagation(spec) },
    { kind: 'cwd', path: spec.process.cwd, create: false },
    { kind: 'exec', umask: spec.process.user.umask ?? 0o022, args: spec.process.args, env: spec.process.env },
  ];
  return { host: hostOperations(request, options), container };
}
