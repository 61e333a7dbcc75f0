import { BerthError } from '#shared/errors.ts';
import { DEVICE_INSTRUCTION_BYTES } from './device-program.ts';
import type { ContainerOperation, HostOperation, LaunchPlan } from './operations.ts';
import { MAX_PLAN_BYTES, WireWriter } from './wire.ts';

/** `PLAN_MAGIC` of plan.h: "BRT1". */
const PLAN_MAGIC = 0x31545242;

/** `enum operation_kind` of plan.h. */
const kinds: Record<HostOperation['kind'] | ContainerOperation['kind'], number> = {
  shim: 1,
  cgroup: 2,
  'cgroup-file': 3,
  namespaces: 4,
  link: 5,
  'oom-score': 6,
  seccomp: 7,
  security: 8,
  rlimit: 9,
  'device-program': 10,
  join: 11,
  'id-maps': 12,
  apparmor: 13,
  runtime: 14,
  'cgroup-namespace': 32,
  overlay: 33,
  filesystem: 34,
  bind: 35,
  device: 36,
  symlink: 37,
  mask: 38,
  'readonly-path': 39,
  sysctl: 40,
  loopback: 41,
  address: 42,
  pivot: 43,
  hostname: 44,
  domainname: 45,
  console: 46,
  user: 47,
  cwd: 48,
  exec: 49,
  'directory-root': 50,
};

/** `enum log_format` of log.h. */
const logFormats = { 'json-file': 0, local: 1, none: 2 } as const;

type LinkOperation = Extract<HostOperation, { kind: 'link' }>;
type AddressOperation = Extract<ContainerOperation, { kind: 'address' }>;

function encodeHost(operation: HostOperation, to: WireWriter): WireWriter {
  switch (operation.kind) {
    case 'shim':
      return to
        .string(operation.stateDirectory)
        .u64(operation.logBytes)
        .u32(operation.logFiles)
        .flag(operation.keepStdin)
        .flag(operation.terminal)
        .u32(operation.rows)
        .u32(operation.columns)
        .u32(logFormats[operation.logFormat ?? 'json-file'])
        .string(operation.logAttributes ?? '');
    case 'cgroup':
      return to.string(operation.root).string(operation.path).strings(operation.controllers);
    case 'cgroup-file':
      return to.string(operation.name).string(operation.value);
    case 'device-program':
      return to.u32(operation.program.byteLength / DEVICE_INSTRUCTION_BYTES).bytes(operation.program);
    case 'namespaces':
      return to.u32(operation.flags);
    case 'link':
      return encodeLink(operation, to);
    case 'oom-score':
      return to.u32(operation.value);
    case 'seccomp':
      return to.string(operation.path).u32(operation.flags);
    case 'join':
      return to.u32(operation.flag).string(operation.path);
    case 'id-maps':
      return to.string(operation.uidMap).string(operation.gidMap).u32(operation.rootUid).u32(operation.rootGid);
    case 'apparmor':
      return to.string(operation.profile);
    case 'runtime':
      return to
        .string(operation.binary)
        .string(operation.root)
        .string(operation.bundle)
        .string(operation.containerId)
        .string(operation.cgroupRoot)
        .strings(operation.config)
        .string(operation.process)
        .string(operation.privileged);
    case 'security':
      return to
        .u64(operation.bounding)
        .u64(operation.permitted)
        .u64(operation.effective)
        .flag(operation.noNewPrivileges);
    case 'rlimit':
      return to.u32(operation.resource).u64(operation.soft).u64(operation.hard);
    default:
      return operation satisfies never;
  }
}

function encodeLink(link: LinkOperation, to: WireWriter): WireWriter {
  return to
    .string(link.bridge)
    .string(link.hostName)
    .string(link.containerName)
    .bytes(link.mac)
    .u32(link.mtuBytes)
    .u32(link.isolated ? 1 : 0);
}

function encodeAddress(operation: AddressOperation, to: WireWriter): WireWriter {
  return to
    .string(operation.name)
    .bytes(addressBytes(operation.address))
    .u32(operation.prefixLength)
    .bytes(addressBytes(operation.gateway));
}

/** A link of a running container, as the spawner's request has it. */
export function encodeLiveLink(pid: number, link: LinkOperation, address: AddressOperation): Buffer {
  return encodeAddress(address, encodeLink(link, new WireWriter().u32(pid))).finish();
}

/** Address as a number whose bytes in memory are in network order. */
function addressBytes(bytes: readonly number[]): readonly number[] {
  return bytes.length === 0 ? [0, 0, 0, 0] : bytes;
}

function encodeContainer(operation: ContainerOperation, to: WireWriter): WireWriter {
  switch (operation.kind) {
    case 'cgroup-namespace':
    case 'loopback':
      return to;
    case 'overlay':
      return to.string(operation.mountPoint).strings(operation.lower).string(operation.upper).string(operation.work);
    case 'filesystem':
      return to
        .string(operation.type)
        .string(operation.source)
        .string(operation.destination)
        .u32(operation.attributes)
        .strings(operation.parameters.flat());
    case 'bind':
      return to
        .string(operation.source)
        .string(operation.subpath)
        .string(operation.destination)
        .flag(operation.recursive)
        .u64(operation.attributes)
        .u64(operation.recursiveAttributes)
        .u64(operation.propagation)
        .flag(operation.idMap);
    case 'directory-root':
      return to.string(operation.source).string(operation.mountPoint);
    case 'device':
      return to
        .string(operation.path)
        .string(operation.source)
        .u32(operation.mode)
        .u32(operation.major)
        .u32(operation.minor)
        .u32(operation.uid)
        .u32(operation.gid);
    case 'symlink':
      return to.string(operation.path).string(operation.target);
    case 'sysctl':
      return to.string(operation.name).string(operation.value).u32(operation.namespace);
    case 'console':
      return to.flag(operation.mount);
    case 'pivot':
      return to.flag(operation.readonly).u64(operation.propagation);
    case 'mask':
    case 'readonly-path':
      return to.string(operation.path);
    case 'hostname':
    case 'domainname':
      return to.string(operation.name);
    case 'address':
      return encodeAddress(operation, to);
    case 'user':
      return to.string(operation.user).strings(operation.groups);
    case 'cwd':
      return to.string(operation.path).flag(operation.create);
    case 'exec':
      return to.u32(operation.umask).strings(operation.args).strings(operation.env);
    default:
      return operation satisfies never;
  }
}

function encodeList<T extends HostOperation | ContainerOperation>(
  operations: readonly T[],
  encode: (operation: T, to: WireWriter) => WireWriter,
  to: WireWriter,
): void {
  to.u32(operations.length);
  for (const operation of operations) {
    to.u32(kinds[operation.kind]).sized((inner) => encode(operation, inner));
  }
}

/** Operations of an exec, as they stand in a shim's request. */
export function encodeContainerOperations(operations: readonly ContainerOperation[]): Buffer {
  const to = new WireWriter();
  encodeList(operations, encodeContainer, to);
  return to.finish();
}

/**
 * The bytes of a plan (plan.h).
 *
 * @throws BerthError `launch.invalid` for a text with a NUL byte, `launch.too-large` over MAX_PLAN_BYTES
 */
export function encodePlan(plan: LaunchPlan): Buffer {
  const to = new WireWriter().u32(PLAN_MAGIC);
  encodeList(plan.host, encodeHost, to);
  encodeList(plan.container, encodeContainer, to);
  const bytes = to.finish();
  if (bytes.byteLength > MAX_PLAN_BYTES) {
    throw new BerthError(
      'too-large',
      'launch.too-large',
      `encode plan: ${bytes.byteLength} bytes are over the limit of ${MAX_PLAN_BYTES}`,
      { remedy: 'Shorten the arguments and the environment of the container.' },
    );
  }
  return bytes;
}
