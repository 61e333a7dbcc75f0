import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BerthError } from '#shared/errors.ts';
import { removeCgroup, removeEmptyParents } from '../os/cgroup.ts';
import { removeFewFiles } from '../os/files.ts';
import { anonymousVolumes } from './container-volumes.ts';
import { cgroupDirectory, pathsOf, type EngineContext, type LiveContainer } from './engine-context.ts';
import { disconnect, exitOf, settleRun, type RunEnd } from './lifecycle.ts';
import { releaseSharedMemory } from './shared-memory.ts';
import { signalNumber, stopSignalNumber } from './signals.ts';
import { noNetworks, type StoredContainer } from './state.ts';
import { thaw } from './thaw.ts';

export interface StopOptions {
  readonly signal?: string;
  readonly timeoutMs?: number;
}

const sigkill = 9;

/** How long the end of a process may lag behind the failure to signal it. */
const signalRaceMs = 2000;

/** Ends the container for good: its restart policy is not asked. Nothing when it has ended already. */
export async function stopContainer(
  context: EngineContext,
  id: string,
  options: StopOptions,
  unpublish: () => Promise<void>,
): Promise<void> {
  const { store, network, live } = context;
  const record = store.require(id);
  const signal =
    options.signal === undefined ? stopSignalNumber(record.config.stopSignal) : signalNumber(options.signal);
  if (record.state === 'restarting') {
    await network.release(id);
    store.update(id, { desired: 'stopped', state: 'exited', restartAtMs: undefined, ...noNetworks });
    return;
  }
  if (record.desired !== 'stopped') store.update(id, { desired: 'stopped' });
  const entry = live.get(id);
  if (entry === undefined) return;
  await unpublish();
  const timeoutMs = options.timeoutMs ?? record.config.stopTimeoutMs;
  const end = await endRun(context, id, entry, async () => {
    // A paused container gets the signal when it goes on.
    await Promise.all([entry.shim.stop(signal, timeoutMs), thaw(context, id)]);
  });
  await settleRun(context, id, end);
  await store.synced(); // with which code: the shim may be syncing it still
}

/** Ends a run because it is unhealthy; the restart policy takes it for a failure. */
export async function endUnhealthy(
  context: EngineContext,
  id: string,
  entry: LiveContainer,
  why: string,
): Promise<void> {
  const { config } = context.store.require(id);
  const end = await endRun(context, id, entry, () =>
    entry.shim.stop(stopSignalNumber(config.stopSignal), config.stopTimeoutMs),
  );
  await settleRun(context, id, { ...end, failed: true, error: `Ended because its health check failed: ${why}` });
}

/** Sends a signal. One that means the end (SIGKILL, the stop signal) also means that no restart follows. */
export async function killContainer(context: EngineContext, id: string, signal: string): Promise<void> {
  const { store, live } = context;
  const record = store.require(id);
  const number = signalNumber(signal);
  const entry = live.get(id);
  if (entry === undefined) throw notRunning(record);
  const ends = number === sigkill || number === stopSignalNumber(record.config.stopSignal);
  if (ends) store.update(id, { desired: 'stopped' });
  await entry.shim.signal(number);
  if (ends) await thaw(context, id);
}

/** Takes the container away with all that is its own. The record goes last, so that a crash is followed by the rest. */
export async function removeContainer(
  context: EngineContext,
  id: string,
  options: { readonly force?: boolean; readonly volumes?: boolean },
): Promise<void> {
  const { store, network, live, volumes } = context;
  const record = store.require(id);
  if (options.force !== true && record.state !== 'removing' && isActive(record)) throw stillRunning(record);
  if (options.volumes === true) volumes.bindTo(id, anonymousVolumes(record.config));
  if (record.state !== 'removing') store.note(id, { state: 'removing', desired: 'stopped', restartAtMs: undefined });
  const entry = live.get(id);
  if (entry !== undefined) {
    await endRun(context, id, entry, () => entry.shim.stop(sigkill, 0));
    await disconnect(context, id);
  }
  await removeCgroup(cgroupDirectory(context, id));
  await removeParents(context, record);
  await releaseSharedMemory(pathsOf(context, id).shm);
  await network.release(id);
  await store.synced(); // no container comes back with a part of its files
  await removeContainerDirectory(context, id);
  await volumes.removeBound(id);
  store.delete(id);
}

/** A container's files, its root first. */
export async function removeContainerDirectory(
  context: Pick<EngineContext, 'storage' | 'directory'>,
  id: string,
): Promise<void> {
  const { directory } = pathsOf(context, id);
  await context.storage.remove(directory);
  await removeFewFiles(directory);
}

/** The cgroups between the runner's subtree and this container's go with the last container that names them. */
async function removeParents({ store, cgroup }: EngineContext, { id, config }: StoredContainer): Promise<void> {
  const parent = config.cgroupParent;
  if (parent === '') return;
  const others = store.list().filter((other) => other.id !== id && other.config.cgroupParent !== '');
  if (others.some((other) => `${other.config.cgroupParent}/`.startsWith(`${parent}/`))) return;
  const top = join(cgroup.mountPoint, cgroup.path);
  await removeEmptyParents(join(top, parent), top);
}

/** True when it runs or will by itself. */
export function isActive({ state }: Pick<StoredContainer, 'state'>): boolean {
  return state === 'running' || state === 'starting' || state === 'restarting';
}

async function endRun(
  context: EngineContext,
  id: string,
  { shim }: LiveContainer,
  act: () => Promise<void>,
): Promise<RunEnd> {
  const exit = exitOf(context, id, shim);
  try {
    await act();
  } catch (error) {
    // It may have ended by itself just now; only when it has not was the failure one.
    const late = delay(signalRaceMs, undefined, { ref: false });
    if ((await Promise.race([exit, late])) === undefined) throw error;
  }
  return exit;
}

export function notRunning({ config, state }: StoredContainer): BerthError {
  return new BerthError(
    'conflict',
    'container.not-running',
    `The container "${config.name}" is not running (${state})`,
    {
      remedy: 'Start it first.',
    },
  );
}

function stillRunning({ config, state }: StoredContainer): BerthError {
  return new BerthError(
    'conflict',
    'container.running',
    `The container "${config.name}" cannot be removed: it is ${state}`,
    {
      remedy: 'Stop it first, or remove it by force.',
    },
  );
}
