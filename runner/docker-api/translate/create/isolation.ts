import { BerthError } from '#shared/errors.ts';
import type { ContainerConfig } from '../../../container/config.ts';
import { modeContainer, type IsolationConfig } from '../../../container/isolation-config.ts';
import type { Runtimes } from '../../../container/runtimes.ts';
import { normalCapabilities } from '../../../security/capabilities.ts';
import { parseDeviceCgroupRule } from '../../../security/device-cgroup-rule.ts';
import { maskedPaths, readonlyPaths } from '../../../security/paths.ts';
import { parseSeccompSource } from '../../../security/seccomp-source.ts';
import { parseSecurityOptions } from '../../../security/security-options.ts';
import type { ConfigBody, HostConfigBody } from '../create-request.ts';

/** What of this host decides which isolation can be asked for. */
export interface IsolationHost {
  /** What the runner may give away. */
  readonly capabilities: readonly string[];
  /** Undefined where the kernel has no AppArmor. */
  readonly apparmorProfiles: readonly string[] | undefined;
  /** Whether containers have a user namespace unless they say otherwise. */
  readonly remapsAll: boolean;
  readonly runtimes: Runtimes;
  /** The id of the container that a name, an id or a prefix of one stands for. */
  readonly containerId: (reference: string) => string | undefined;
}

/**
 * What a creation says of isolation.
 *
 * @throws BerthError with dockerd's texts, for what dockerd refuses at this point
 */
export function isolationOf(config: ConfigBody, host: HostConfigBody, on: IsolationHost): Partial<IsolationConfig> {
  const { seccomp = '', apparmor, noNewPrivileges } = parseSecurityOptions(host.SecurityOpt ?? []);
  const technology = host.Isolation ?? '';
  if (!['', 'default'].includes(technology.toLowerCase())) {
    const text = `invalid isolation: ${JSON.stringify(technology.slice(0, 40))} - linux only supports 'default'`;
    throw new BerthError('invalid', 'docker.isolation-invalid', text);
  }
  const privileged = host.Privileged ?? false;
  if (seccomp !== '' && seccomp !== 'unconfined' && seccomp !== 'builtin') parseSeccompSource(seccomp);
  const rules = host.DeviceCgroupRules ?? [];
  for (const rule of rules) parseDeviceCgroupRule(rule);
  return {
    ...modes(config, host, on),
    readonlyRootfs: host.ReadonlyRootfs ?? false,
    noNewPrivileges,
    privileged,
    capAdd: [...normalCapabilities('CapAdd', host.CapAdd ?? [], on.capabilities)],
    capDrop: [...normalCapabilities('CapDrop', host.CapDrop ?? [], on.capabilities)],
    seccomp,
    apparmorProfile: apparmorProfile(apparmor, privileged, on),
    ...(host.MaskedPaths == null ? {} : { maskedPaths: absolute('MaskedPaths', host.MaskedPaths) }),
    ...(host.ReadonlyPaths == null ? {} : { readonlyPaths: absolute('ReadonlyPaths', host.ReadonlyPaths) }),
    devices: (host.Devices ?? []).map(device),
    deviceCgroupRules: rules,
    deviceRequests: (host.DeviceRequests ?? []).map(({ Driver, Capabilities }) => ({
      driver: Driver ?? '',
      capabilities: (Capabilities ?? []).map((set) => set ?? []),
    })),
    sysctls: host.Sysctls ?? {},
    oomScoreAdj: oomScore(host.OomScoreAdj ?? 0),
    ...(host.Init == null ? {} : { init: host.Init }),
    runtime: runtime(host.Runtime, on),
  };
}

/** Runtime, and which namespaces are shared with whom (moby daemon_unix.go, `verifyPlatformContainerSettings`). */
function modes(
  config: ConfigBody,
  host: HostConfigBody,
  on: IsolationHost,
): Pick<IsolationConfig, 'ipcMode' | 'pidMode' | 'utsMode' | 'cgroupnsMode' | 'usernsMode'> {
  const ipcMode = host.IpcMode || 'private';
  const pidMode = host.PidMode ?? '';
  const utsMode = host.UTSMode ?? '';
  const cgroupnsMode = host.CgroupnsMode || 'private';
  const usernsMode = host.UsernsMode ?? '';
  const ofContainer = (mode: string): boolean => (modeContainer(mode) ?? '') !== '';
  if (!['private', 'shareable', 'none', 'host'].includes(ipcMode) && !ofContainer(ipcMode)) throw bad('IPC', ipcMode);
  if (!['', 'host'].includes(pidMode) && !ofContainer(pidMode)) throw bad('PID', pidMode);
  if (utsMode !== '' && utsMode !== 'host') throw bad('UTS', utsMode);
  if (utsMode === 'host' && config.Hostname) throw refused('conflicting options: hostname and the UTS mode');
  if (cgroupnsMode !== 'private' && cgroupnsMode !== 'host') throw bad('cgroup namespace', cgroupnsMode);
  if (usernsMode !== '' && usernsMode !== 'host' && usernsMode !== 'private') throw bad('user namespace', usernsMode);
  if (usernsMode === 'private' || (usernsMode === '' && on.remapsAll)) checkRemapped(host);
  return { ipcMode: byId(ipcMode, on), pidMode: byId(pidMode, on), utsMode, cgroupnsMode, usernsMode };
}

function checkRemapped(host: HostConfigBody): void {
  if (host.Privileged === true) {
    const what = 'privileged mode is incompatible with user namespaces.';
    throw refused(`${what}  You must run the container in the host namespace when running privileged mode`);
  }
  if (host['NetworkMode'] === 'host') {
    throw refused("cannot share the host's network namespace when user namespaces are enabled");
  }
  if (host.PidMode === 'host') throw refused('cannot share the host PID namespace when user namespaces are enabled');
}

/** The other container by its id, which stays when it is renamed. */
function byId(mode: string, on: IsolationHost): string {
  const reference = modeContainer(mode);
  if (reference === undefined) return mode;
  const id = on.containerId(reference);
  if (id === undefined) throw refused(`No such container: ${reference.slice(0, 160)}`);
  return `container:${id}`;
}

function apparmorProfile(asked: string | undefined, privileged: boolean, on: IsolationHost): string {
  if (on.apparmorProfiles === undefined) return '';
  if (asked !== undefined && asked !== '') return asked;
  if (privileged) return 'unconfined';
  return on.apparmorProfiles.includes('docker-default') ? 'docker-default' : '';
}

function device(one: NonNullable<HostConfigBody['Devices']>[number]): IsolationConfig['devices'][number] {
  const pathOnHost = one.PathOnHost ?? '';
  const pathInContainer = one.PathInContainer || pathOnHost;
  const permissions = one.CgroupPermissions || 'rwm';
  if (!/^(?!.*(.).*\1)[rwm]{1,3}$/.test(permissions)) throw refused(`invalid device mode: ${permissions.slice(0, 40)}`);
  if (!pathOnHost.startsWith('/') || !pathInContainer.startsWith('/') || /(^|\/)\.\.(\/|$)/.test(pathInContainer)) {
    throw refused(
      `invalid device: "${pathOnHost.slice(0, 80)}" as "${pathInContainer.slice(0, 80)}": paths are absolute`,
    );
  }
  return { pathOnHost, pathInContainer, permissions };
}

function absolute(field: string, paths: readonly string[]): string[] {
  const relative = paths.find((path) => !path.startsWith('/'));
  if (relative !== undefined) throw refused(`invalid ${field}: "${relative.slice(0, 80)}" is not absolute`);
  return [...paths];
}

function oomScore(value: number): number {
  if (value >= -1000 && value <= 1000) return value;
  throw refused(`Invalid value ${value}, range for oom score adj is [-1000, 1000]`);
}

function runtime(name: string | null | undefined, { runtimes }: IsolationHost): string {
  const wanted = name || runtimes.default;
  if (runtimes.programs.has(wanted)) return wanted;
  throw refused(`unknown or invalid runtime name: ${wanted.slice(0, 80)}`);
}

function bad(kind: string, mode: string): BerthError {
  return refused(`invalid ${kind} mode: ${mode.slice(0, 80)}`);
}

function refused(text: string): BerthError {
  return new BerthError('invalid', 'docker.isolation', text);
}

/** What was asked for and is not done, in words. */
export function isolationWarnings(host: HostConfigBody): readonly string[] {
  return parseSecurityOptions(host.SecurityOpt ?? []).labels.map(
    (label) => `Security option "label=${label.slice(0, 80)}" has no effect: SELinux labels are not supported.`,
  );
}

/** The same as inspect tells it. */
export function isolationDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  const asked = config.docker?.hostConfig ?? {};
  return {
    ReadonlyRootfs: config.readonlyRootfs,
    Runtime: config.runtime,
    Privileged: config.privileged,
    IpcMode: config.ipcMode,
    PidMode: config.pidMode,
    UTSMode: config.utsMode,
    CgroupnsMode: config.cgroupnsMode,
    UsernsMode: config.usernsMode,
    OomScoreAdj: config.oomScoreAdj,
    Devices: config.devices.map(({ pathOnHost, pathInContainer, permissions }) => ({
      PathOnHost: pathOnHost,
      PathInContainer: pathInContainer,
      CgroupPermissions: permissions,
    })),
    SecurityOpt: securityOptions(config, asked['SecurityOpt']),
    MaskedPaths: config.maskedPaths ?? (config.privileged ? null : maskedPaths([])),
    ReadonlyPaths: config.readonlyPaths ?? (config.privileged ? null : readonlyPaths),
  };
}

/** dockerd adds that there is no label to containers that share what a label would keep apart. */
function securityOptions(config: ContainerConfig, asked: unknown): unknown {
  const options: readonly unknown[] = Array.isArray(asked) ? asked : [];
  const labelled = options.some((option) => typeof option === 'string' && option.split('=', 1)[0] === 'label');
  const shared = config.privileged || config.ipcMode === 'host' || config.pidMode === 'host';
  if (shared && !labelled) return [...options, 'label=disable'];
  return options.length === 0 ? null : options;
}
