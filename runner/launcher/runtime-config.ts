import { BerthError } from '#shared/errors.ts';
import type { RuntimeDevice, RuntimeMount, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import type { ChosenRuntime } from './launcher.ts';
import { namespaceOrigin } from './namespaces.ts';
import { rootfsPropagation } from './prepared-binds.ts';

/**
 * What an OCI runtime is given, as JSON texts in ASCII. The launcher completes them: it looks the user up beneath the root,
 * and writes arguments, environment and working directory, which are also those of each exec.
 */
export interface RuntimeDocuments {
  /** config.json without its `process` and without its last brace. */
  readonly config: string;
  /** The members of `process` that all processes of the container share, without braces. */
  readonly process: string;
  /** The same for a privileged exec. */
  readonly privileged: string;
}

/** What runc 1.1 and crun 1.8 know; nothing that we write came later. */
const OCI_VERSION = '1.0.2';

function unsupported(what: string): BerthError {
  return new BerthError('unsupported', 'launch.unsupported', `plan launch: ${what} with another OCI runtime`, {
    remedy: 'Leave the option out, or run the container with the built-in runtime: --runtime berth.',
  });
}

/** What a document says beside the spec. */
export interface RuntimeFacts extends Pick<ChosenRuntime, 'deviceRules' | 'capabilities'> {
  /** Where the launcher keeps the container's network namespace when that is new. */
  readonly networkPath: string;
}

/**
 * The documents for a container of this spec.
 *
 * @throws BerthError `launch.unsupported` for what the built-in runtime alone can do
 */
export function runtimeDocuments(
  spec: RuntimeSpec,
  { networkPath, deviceRules, capabilities }: RuntimeFacts,
): RuntimeDocuments {
  const { linux, process } = spec;
  if (namespaceOrigin(spec, 'user') !== 'host') throw unsupported('a user namespace is not possible');
  const config = {
    ociVersion: OCI_VERSION,
    root: { path: 'rootfs', readonly: spec.root.readonly },
    ...(namespaceOrigin(spec, 'uts') === 'new' ? { hostname: spec.hostname } : {}),
    mounts: spec.mounts.map(mount),
    annotations: spec.annotations,
    linux: {
      namespaces: linux.namespaces.map(({ type, path }) => {
        const at = type === 'network' ? (path ?? networkPath) : path;
        return at === undefined ? { type } : { type, path: at };
      }),
      devices: linux.devices.map(device),
      cgroupsPath: linux.cgroupsPath,
      resources: deviceRules === 'launcher' ? {} : { devices: rules(spec) },
      ...(linux.seccomp === undefined ? {} : { seccomp: linux.seccomp }),
      maskedPaths: linux.maskedPaths,
      readonlyPaths: linux.readonlyPaths,
      sysctl: sysctls(spec),
      rootfsPropagation: rootfsPropagation(spec.mounts, linux.rootfsPropagation),
    },
  };
  return {
    config: asciiJson(config).slice(0, -1),
    process: members({
      ...shared(spec),
      noNewPrivileges: process.noNewPrivileges,
      capabilities: process.capabilities,
    }),
    privileged: members({ ...shared(spec), noNewPrivileges: false, capabilities: sets(capabilities) }),
  };
}

/** Without what the specification does not know. */
function device({ path, type, major, minor, fileMode, uid, gid }: RuntimeDevice): object {
  return { path, type, major, minor, fileMode, uid, gid };
}

/** The limits are written to the cgroup by the launcher, as those of every container; this is what a runtime must know. */
function rules({ linux }: RuntimeSpec): readonly object[] {
  return (linux.resources.devices ?? [{ allow: true }]).map((rule) => ({ access: 'rwm', ...rule }));
}

/** NIS has no field of its own before runtime-spec 1.1; Docker writes the setting too. */
function sysctls({ linux, domainname }: RuntimeSpec): Readonly<Record<string, string>> {
  return domainname === undefined ? linux.sysctl : { ...linux.sysctl, 'kernel.domainname': domainname };
}

/** Of a part of a source, or shared, after it was prepared (`preparedBinds`). */
function mount({ destination, type, source, options }: RuntimeMount): object {
  if (options.includes('idmap')) throw unsupported(`a mount with mapped owners, on "${destination}", is not possible`);
  if (options.includes('bind') || options.includes('rbind')) {
    if (!source.startsWith('/')) throw unsupported(`a bind source that is not absolute, "${source}", is not possible`);
  }
  return { destination, type, source, options };
}

function sets(names: readonly string[]): object {
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

function shared({ process }: RuntimeSpec): object {
  return {
    rlimits: process.rlimits.map(({ type, soft, hard }) => ({ type, soft: limit(soft), hard: limit(hard) })),
    ...(process.apparmorProfile === undefined ? {} : { apparmorProfile: process.apparmorProfile }),
  };
}

/** RLIM_INFINITY for what JSON cannot hold exactly. */
function limit(value: number): number | bigint {
  return value < 0 || value > Number.MAX_SAFE_INTEGER ? 0xffff_ffff_ffff_ffffn : value;
}

function members(value: object): string {
  return asciiJson(value).slice(1, -1);
}

/** JSON with numbers of 64 bits, and without any byte that a piece of it could be cut through. */
function asciiJson(value: unknown): string {
  return json(value).replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As JSON.stringify, but with a bigint as the number that it is. */
function json(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${entries.map(([name, member]) => `${JSON.stringify(name)}:${json(member)}`).join(',')}}`;
}
