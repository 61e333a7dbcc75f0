import { BerthError } from '#shared/errors.ts';
import type { IdMapping, NamespaceType, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import type { LinkSpec } from './launcher.ts';
import { namespaceFlags } from './linux-numbers.ts';
import type { HostOperation } from './operations.ts';
import { invalid } from './plan-error.ts';

/** Whether the container gets a new namespace of this type, one that exists already, or the runner's own. */
export function namespaceOrigin(spec: RuntimeSpec, type: NamespaceType): 'new' | 'joined' | 'host' {
  const namespace = spec.linux.namespaces.find((one) => one.type === type);
  if (namespace === undefined) return 'host';
  return namespace.path === undefined ? 'new' : 'joined';
}

/** The kernel takes so many lines. */
const MAX_ID_MAPPINGS = 340;
const MAX_ID = 0xffff_fffe;

function idMap(mappings: readonly IdMapping[], name: string): { readonly text: string; readonly root: number } {
  if (mappings.length === 0 || mappings.length > MAX_ID_MAPPINGS) {
    throw invalid(`a user namespace needs 1 to ${MAX_ID_MAPPINGS} ${name}`);
  }
  for (const { containerID, hostID, size } of mappings) {
    const numbers = [containerID, hostID, size];
    const fits = numbers.every((number) => Number.isInteger(number) && number >= 0) && size > 0;
    if (!fits || containerID + size - 1 > MAX_ID || hostID + size - 1 > MAX_ID) {
      throw invalid(`${numbers.join(' ')} is not one of ${name} (container id, host id, size)`);
    }
  }
  const first = mappings.find(({ containerID }) => containerID === 0);
  if (first === undefined) throw invalid(`${name} without id 0: the container needs a root`);
  const text = mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
  return { text, root: first.hostID };
}

function idMaps({ linux }: RuntimeSpec): HostOperation {
  const uids = idMap(linux.uidMappings ?? [], 'uidMappings');
  const gids = idMap(linux.gidMappings ?? [], 'gidMappings');
  return { kind: 'id-maps', uidMap: uids.text, gidMap: gids.text, rootUid: uids.root, rootGid: gids.root };
}

/**
 * What the shim needs to know about namespaces. The cgroup namespace is not among the new ones: it is made once the process
 * is in its cgroup.
 *
 * @throws BerthError `launch.invalid`, `launch.unsupported`
 */
export function namespaceOperations(spec: RuntimeSpec, links: readonly LinkSpec[]): readonly HostOperation[] {
  const { namespaces, uidMappings, gidMappings } = spec.linux;
  let flags = 0;
  const joins: HostOperation[] = [];
  for (const { type, path } of namespaces) {
    if (namespaces.filter((one) => one.type === type).length > 1) throw invalid(`two ${type} namespaces`);
    if (type === 'time') {
      throw new BerthError('unsupported', 'launch.unsupported', 'plan launch: a time namespace is not supported');
    }
    if (path === undefined && type !== 'cgroup') flags |= namespaceFlags[type];
    if (path === undefined) continue;
    if (!path.startsWith('/')) throw invalid(`the path "${path}" of the ${type} namespace is not absolute`);
    joins.push({ kind: 'join', flag: namespaceFlags[type], path });
  }
  if (namespaceOrigin(spec, 'mount') !== 'new') throw invalid('a container needs a mount namespace of its own');
  if (links.length > 0 && namespaceOrigin(spec, 'network') !== 'new') {
    throw invalid('links belong to the container whose network namespace it is');
  }
  const mapped = namespaceOrigin(spec, 'user') !== 'host';
  if (!mapped && (uidMappings ?? gidMappings ?? []).length > 0) throw invalid('id mappings need a user namespace');
  return [{ kind: 'namespaces', flags }, ...(mapped ? [idMaps(spec)] : []), ...joins];
}

const ipcSettings = ['kernel/msgmax', 'kernel/msgmnb', 'kernel/msgmni', 'kernel/sem', 'kernel/shmall'].concat(
  ['kernel/shmmax', 'kernel/shmmni', 'kernel/shm_rmid_forced'],
  ['kernel/msg_next_id', 'kernel/sem_next_id', 'kernel/shm_next_id', 'kernel/auto_msgmni'],
);

/** The type of namespace that a sysctl (with slashes) is a setting of; undefined: of the whole kernel. */
function sysctlNamespace(path: string): 'network' | 'ipc' | 'uts' | undefined {
  if (path.startsWith('net/')) return 'network';
  if (path.startsWith('fs/mqueue/') || ipcSettings.includes(path)) return 'ipc';
  return path === 'kernel/domainname' || path === 'kernel/hostname' ? 'uts' : undefined;
}

/**
 * The CLONE_NEW* bit of the namespace that a sysctl is a setting of.
 *
 * @throws BerthError `launch.invalid` when that is the host's, so that the host would be changed
 */
export function sysctlNamespaceFlag(spec: RuntimeSpec, path: string): number {
  const type = sysctlNamespace(path);
  if (type === undefined) throw invalid(`the sysctl "${path}" is one of the whole host`);
  if (namespaceOrigin(spec, type) === 'host') {
    throw invalid(`the sysctl "${path}" would be the host's: the container has no ${type} namespace of its own`);
  }
  return namespaceFlags[type];
}
