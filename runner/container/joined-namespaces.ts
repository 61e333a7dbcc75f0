import { closeSync, openSync, readFileSync } from 'node:fs';
import { BerthError } from '#shared/errors.ts';
import type { ContainerConfig } from './config.ts';
import type { EngineContext } from './engine-context.ts';
import { modeContainer, type IsolationConfig } from './isolation-config.ts';
import { isRemapped } from './isolation.ts';
import type { IsolationDefaults } from './isolation-defaults.ts';
import type { StoredContainer } from './state.ts';

/**
 * Namespaces of other containers, as files. They are held open until the launch is over: a path by number alone could be
 * another process's by then, even one of the host.
 */
export interface JoinedNamespaces extends Disposable {
  readonly ipc?: string;
  readonly pid?: string;
  readonly network?: string;
  /** Theirs, when they have user namespaces. */
  readonly user?: string;
}

/** What it needs of the engine: who runs, and whether user namespaces are the rule. */
export interface JoiningContext extends Pick<EngineContext, 'store'> {
  readonly isolation: Pick<IsolationDefaults, 'remapsAll'>;
}

/**
 * @throws BerthError `container.namespace-shared` with dockerd's texts, when a container whose namespace is joined does
 * not run or does not share it
 */
export function joinedNamespaces(context: JoiningContext, config: ContainerConfig): JoinedNamespaces {
  using opened = new DisposableStack();
  const paths: { ipc?: string; pid?: string; network?: string; user?: string } = {};
  const remapped = isRemapped(config, context.isolation);
  for (const [type, mode] of [
    ['ipc', config.ipcMode],
    ['pid', config.pidMode],
  ] as const) {
    const id = modeContainer(mode);
    if (id === undefined) continue;
    const owner = runningOwner(context, config, type, id);
    paths[type] = openNamespace(opened, owner, type);
    if (remapped) paths.user = openNamespace(opened, owner, 'user');
    verifyProcess(owner, type);
  }
  const owner = networkOwner(context, config);
  if (owner !== undefined) {
    checkSameUsers(context, config, owner, 'network');
    paths.network = openNamespace(opened, owner, 'network');
    if (remapped) paths.user = openNamespace(opened, owner, 'user');
    verifyProcess(owner, 'network');
  }
  const held = opened.move();
  return { ...paths, [Symbol.dispose]: () => held.dispose() };
}

/** The containers that must run before one with this config can start. They were all created before it. */
export function namespaceOwners({ ipcMode, pidMode, networkNamespace }: ContainerConfig): readonly string[] {
  const network = networkNamespace.kind === 'container' ? [networkNamespace.id] : [];
  return [...[ipcMode, pidMode].flatMap((mode) => modeContainer(mode) ?? []), ...network];
}

type Joinable = 'ipc' | 'pid' | 'network';

/** One that does not run is told by `joinNetworks`. */
function networkOwner({ store }: JoiningContext, { networkNamespace }: ContainerConfig): StoredContainer | undefined {
  if (networkNamespace.kind !== 'container') return undefined;
  const other = store.get(networkNamespace.id);
  return other?.state === 'running' ? other : undefined;
}

/** A namespace belongs to a user namespace, of which who joins it must be. */
function checkSameUsers(
  context: JoiningContext,
  config: IsolationConfig,
  owner: StoredContainer,
  type: Joinable,
): void {
  if (isRemapped(owner.config, context.isolation) === isRemapped(config, context.isolation)) return;
  throw cannotJoin(type, 'invalid', `container ${owner.id} has another user namespace, give both the same UsernsMode`);
}

function runningOwner(context: JoiningContext, config: IsolationConfig, type: Joinable, id: string): StoredContainer {
  const other = context.store.find(id);
  if (other === undefined) throw cannotJoin(type, 'invalid', `No such container: ${id}`);
  if (other.state === 'restarting') {
    throw cannotJoin(type, 'conflict', `Container ${id} is restarting, wait until the container is running`);
  }
  if (other.state !== 'running') throw notRunning(type, id);
  if (type === 'ipc' && other.config.ipcMode !== 'shareable') {
    const hint = 'non-shareable IPC (hint: use IpcMode:shareable for the donor container)';
    throw cannotJoin(type, 'invalid', `container ${id}: ${hint}`);
  }
  checkSameUsers(context, config, other, type);
  return other;
}

/** The path by which others open what is open here. */
function openNamespace(opened: DisposableStack, { id, pid }: StoredContainer, type: Joinable | 'user'): string {
  try {
    const fd = opened.adopt(openSync(`/proc/${pid}/ns/${type === 'network' ? 'net' : type}`, 'r'), closeSync);
    return `/proc/${process.pid}/fd/${fd}`;
  } catch {
    throw notRunning(type === 'user' ? 'pid' : type, id); // it has just ended
  }
}

/** Its cgroup tells that the process whose namespace was opened is still the container's. */
function verifyProcess({ id, pid }: StoredContainer, type: Joinable): void {
  let cgroups = '';
  try {
    cgroups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    // ended: told below
  }
  if (!cgroups.includes(`/${id}`)) throw notRunning(type, id);
}

function notRunning(type: Joinable, id: string): BerthError {
  return cannotJoin(type, 'conflict', `container ${id} is not running`);
}

function cannotJoin(type: Joinable, kind: 'conflict' | 'invalid', why: string): BerthError {
  // With dockerd, that of PID is found while it makes the spec, where every fault is its own.
  const told = type === 'pid' ? 'internal' : kind;
  const text = `failed to join ${type === 'network' ? type : type.toUpperCase()} namespace: ${why}`;
  return new BerthError(told, 'container.namespace-shared', text);
}
