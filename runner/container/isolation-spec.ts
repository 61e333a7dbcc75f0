import type {
  DeviceRule,
  IdMapping,
  RuntimeDevice,
  RuntimeMount,
  RuntimeNamespace,
  RuntimeSpec,
  SeccompProfile,
} from '#shared/oci/runtime-spec.ts';
import { containerCapabilities } from '../security/capabilities.ts';
import { evaluatedSeccomp } from '../security/custom-seccomp.ts';
import { parseDeviceCgroupRule } from '../security/device-cgroup-rule.ts';
import { openDeviceRules, withDeviceRules } from '../security/device-rules.ts';
import { defaultDevices } from '../security/devices.ts';
import { maskedPaths, readonlyPaths } from '../security/paths.ts';
import { parseSeccompSource } from '../security/seccomp-source.ts';
import { seccompProfile, type SeccompFacts } from '../security/seccomp.ts';
import { checkSysctl, dottedSysctl } from '../security/sysctls.ts';
import { sharesNamespace, type IsolationConfig } from './isolation-config.ts';

/** What isolation needs to know that a config does not say, found out at each start. */
export interface IsolationContext {
  /** What the runner itself may. */
  readonly capabilities: readonly string[];
  /** Files of the namespaces of other containers that are joined. */
  readonly joined: { readonly ipc?: string; readonly pid?: string; readonly user?: string };
  /** The directory of the host that is bound over /dev/shm; absent: the container has its own. */
  readonly sharedMemory?: string;
  /** For a user namespace of the container's own; absent: it has the host's. */
  readonly idMappings?: { readonly uid: IdMapping; readonly gid: IdMapping };
  /** Nodes of the host that it is given, with what it may do with them. */
  readonly devices: readonly { readonly device: RuntimeDevice; readonly permissions: string }[];
  /** The init program on the host; absent: the container runs without. */
  readonly initPath?: string;
}

type Linux = RuntimeSpec['linux'];
type Process = RuntimeSpec['process'];

/** The namespaces of a container but for that of the network. */
export function isolationNamespaces(config: IsolationConfig, context: IsolationContext): readonly RuntimeNamespace[] {
  const { ipc, pid, user } = context.joined;
  const own = (type: RuntimeNamespace['type'], path: string | undefined): RuntimeNamespace =>
    path === undefined ? { type } : { type, path };
  return [
    { type: 'mount' },
    ...(config.pidMode === 'host' ? [] : [own('pid', pid)]),
    ...(config.ipcMode === 'host' ? [] : [own('ipc', ipc)]),
    ...(config.utsMode === 'host' ? [] : [own('uts', undefined)]),
    ...(config.cgroupnsMode === 'host' ? [] : [own('cgroup', undefined)]),
    ...(context.idMappings === undefined ? [] : [own('user', user)]),
  ];
}

/** The parts of `linux` that isolation decides, `namespaces` complete with the network's. */
export function isolationLinux(
  config: IsolationConfig,
  context: IsolationContext,
  host: { readonly namespaces: readonly RuntimeNamespace[]; readonly maskedPaths: readonly string[] },
): Pick<Linux, 'namespaces' | 'devices' | 'maskedPaths' | 'readonlyPaths' | 'sysctl'> &
  Partial<Pick<Linux, 'uidMappings' | 'gidMappings'>> {
  const { idMappings } = context;
  return {
    namespaces: host.namespaces,
    ...(idMappings === undefined ? {} : { uidMappings: [idMappings.uid], gidMappings: [idMappings.gid] }),
    devices: nodes(context),
    maskedPaths: config.privileged ? [] : (config.maskedPaths ?? maskedPaths(host.maskedPaths)),
    readonlyPaths: config.privileged ? [] : (config.readonlyPaths ?? readonlyPaths),
    sysctl: sysctls(config, context, host.namespaces),
  };
}

/** The rules of its device program. */
export function isolationDeviceRules(config: IsolationConfig, context: IsolationContext): readonly DeviceRule[] {
  if (config.privileged) return openDeviceRules;
  const ofDevices = context.devices.map(({ device, permissions }): DeviceRule => ({
    allow: true,
    type: device.type === 'b' ? 'b' : 'c',
    major: device.major,
    minor: device.minor,
    access: permissions,
  }));
  return withDeviceRules([...ofDevices, ...config.deviceCgroupRules.map(parseDeviceCgroupRule)]);
}

/** The filter, with the rules that the container's capabilities open; undefined for none. */
export function isolationSeccomp(
  config: IsolationConfig,
  facts: Pick<SeccompFacts, 'architecture' | 'kernel'>,
  bounding: readonly string[],
): SeccompProfile | undefined {
  const all = { architecture: facts.architecture, kernel: facts.kernel, capabilities: bounding };
  const wanted = config.seccomp === '' ? (config.privileged ? 'unconfined' : 'builtin') : config.seccomp;
  if (wanted === 'unconfined') return undefined;
  return wanted === 'builtin' ? seccompProfile(all) : evaluatedSeccomp(parseSeccompSource(wanted), all);
}

/** The parts of `process` that isolation decides. */
export function isolationProcess(
  config: IsolationConfig,
  context: IsolationContext,
): Pick<Process, 'capabilities' | 'noNewPrivileges'> & Partial<Pick<Process, 'oomScoreAdj' | 'apparmorProfile'>> {
  const bounding = containerCapabilities(config, context.capabilities);
  return {
    // Inheritable stays empty, so that no program of the image gains one by file capabilities (CVE-2022-29162 and kin).
    capabilities: { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] },
    noNewPrivileges: config.noNewPrivileges,
    oomScoreAdj: config.oomScoreAdj,
    ...(config.apparmorProfile === '' ? {} : { apparmorProfile: config.apparmorProfile }),
  };
}

/** Docker's place of the init program; what runs under it follows `--`. */
const initPath = '/sbin/docker-init';

/** The arguments of the first process, below an init where there is one. */
export function isolationArgs(args: readonly string[], { initPath: init }: IsolationContext): readonly string[] {
  return init === undefined ? args : [initPath, '--', ...args];
}

/** The mounts that every container has, as its isolation wants them. */
export function isolationMounts(
  config: IsolationConfig,
  context: IsolationContext,
  mounts: readonly RuntimeMount[],
): readonly RuntimeMount[] {
  const writable = config.privileged ? new Set(['/sys', '/sys/fs/cgroup']) : new Set<string>();
  return mounts.flatMap((mount): readonly RuntimeMount[] => {
    if (mount.destination === '/dev/shm') return sharedMemory(config, context, mount);
    if (!writable.has(mount.destination)) return [mount];
    return [{ ...mount, options: mount.options.filter((option) => option !== 'ro') }];
  });
}

/** The program of `--init`: after all other mounts, so that none of them covers it. */
export function initMounts({ initPath: source }: IsolationContext): readonly RuntimeMount[] {
  return source === undefined ? [] : [{ destination: initPath, type: 'bind', source, options: ['bind', 'ro'] }];
}

/**
 * Mounts of what is the container's own (the files that are made for it, its volumes) as a user namespace wants them:
 * what lies there as root's is its root's. A bind of the host keeps its owners, whom the container is not.
 */
export function withMappedOwners(
  { idMappings }: Pick<IsolationContext, 'idMappings'>,
  mounts: readonly RuntimeMount[],
): readonly RuntimeMount[] {
  if (idMappings === undefined) return mounts;
  return mounts.map((mount) => ({ ...mount, options: [...mount.options, 'idmap'] }));
}

const kept = ['nosuid', 'noexec', 'nodev'];

/** /dev/shm goes with the IPC namespace. */
function sharedMemory(config: IsolationConfig, context: IsolationContext, own: RuntimeMount): readonly RuntimeMount[] {
  if (config.ipcMode === 'none') return [];
  const { sharedMemory: source } = context;
  if (source === undefined) return [own];
  return [{ destination: own.destination, type: 'bind', source, options: ['bind', 'rprivate', ...kept] }];
}

/** The default nodes, and those asked for; of two at one path the latter. */
function nodes({ devices }: IsolationContext): readonly RuntimeDevice[] {
  const byPath = new Map([...defaultDevices, ...devices.map(({ device }) => device)].map((one) => [one.path, one]));
  return [...byPath.values()];
}

/** @throws BerthError `sysctl.refused` */
function sysctls(
  config: IsolationConfig,
  { idMappings }: IsolationContext,
  namespaces: readonly RuntimeNamespace[],
): Readonly<Record<string, string>> {
  const has = (type: RuntimeNamespace['type']): boolean => namespaces.some((one) => one.type === type);
  const own = { ipc: has('ipc'), network: has('network'), uts: has('uts') };
  for (const name of Object.keys(config.sysctls)) checkSysctl(name, own);
  const network = namespaces.some(({ type, path }) => type === 'network' && path === undefined);
  return {
    // The network namespace is the container's own, so that it may bind low ports and ping without a capability.
    ...(network ? { 'net.ipv4.ip_unprivileged_port_start': '0' } : {}),
    ...(network && idMappings === undefined ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
    ...Object.fromEntries(Object.entries(config.sysctls).map(([name, value]) => [dottedSysctl(name), value])),
  };
}

/** Whether a container's first process is the first of a PID namespace, under which an init makes sense. */
export function hasOwnProcesses(config: IsolationConfig): boolean {
  return !sharesNamespace(config.pidMode);
}
