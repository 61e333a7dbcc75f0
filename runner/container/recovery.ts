import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { errorText } from '#shared/errors.ts';
import { containerCgroups, removeCgroup } from '../os/cgroup.ts';
import { currentBootId, hostWasRestarted, rememberBoot } from '../os/host-boot.ts';
import { isFrozen, thawCgroup } from '../os/freezer.ts';
import { removeContainer, removeContainerDirectory } from './ending.ts';
import { readHealthReport } from './health-file.ts';
import { adoptNetworks } from './join-networks.ts';
import { cgroupDirectory, pathsOf, type EngineContext } from './engine-context.ts';
import { lostRun, recordRunning, settleRun, type RunWatcher } from './lifecycle.ts';
import { isMomentary } from './momentary-pause.ts';
import { makeContainerDirectories } from './paths.ts';
import { returnsWithRunner } from './restart.ts';
import { releaseSharedMemory } from './shared-memory.ts';
import type { StoredContainer } from './state.ts';
import { enforceLimits } from './updating.ts';

/** What is left to do for a container, in its own queue, once the engine is up; `recover`: its recovery has failed. */
export type Unfinished = 'nothing' | 'stop' | 'start' | 'recover';

const sigkill = 9;

/**
 * Makes records and kernel agree after the runner was away: running containers are connected to again, ended ones are
 * settled, removals are carried on, and what belongs to no record is taken away.
 *
 * @returns what each container still needs
 */
export async function recoverContainers(
  context: EngineContext,
  database: DatabaseSync,
  watcher: RunWatcher,
): Promise<ReadonlyMap<string, Unfinished>> {
  const bootId = currentBootId();
  const restarted = hostWasRestarted(database, bootId);
  const unfinished = new Map<string, Unfinished>();
  for (const record of context.store.list()) {
    try {
      if (restarted && record.state !== 'removing') await makeDirectories(context, record);
      recallHealth(context, record);
      unfinished.set(record.id, await recoverContainer(context, record, watcher, restarted));
    } catch (error) {
      context.log('error', `Container "${record.config.name}" could not be recovered: ${errorText(error)}`);
      unfinished.set(record.id, 'recover');
    }
  }
  for (const id of await strays(context, database)) {
    try {
      await removeStray(context, id);
    } catch (error) {
      context.log('error', `The remains of container ${id} could not be removed: ${errorText(error)}`);
    }
  }
  // Of what could not be recovered the next runner must know it too.
  if (![...unfinished.values()].includes('recover')) rememberBoot(database, bootId);
  return unfinished;
}

/** A loss of power can take directories of a container whose record it leaves: without them nothing could be copied in. */
async function makeDirectories(context: EngineContext, { id, config }: StoredContainer): Promise<void> {
  const image = context.images.find(config.imageId);
  if (image === undefined) return; // it has no root
  const paths = pathsOf(context, id);
  makeContainerDirectories(paths);
  await context.storage.prepare(paths.directory, image.layerDirectories);
}

function recallHealth(context: EngineContext, { id, config, startedAtMs }: StoredContainer): void {
  if (config.healthcheck === undefined) return;
  context.store.update(id, { probes: readHealthReport(pathsOf(context, id).health, startedAtMs) });
}

/** Makes the record and the kernel agree on one container. */
export async function recoverContainer(
  context: EngineContext,
  record: StoredContainer,
  watcher: RunWatcher,
  hostRestarted = false,
): Promise<Unfinished> {
  switch (record.state) {
    case 'removing':
      await killShim(context, record.id);
      await removeContainer(context, record.id, { force: true });
      return 'nothing';
    case 'starting':
    case 'running':
      return hostRestarted ? settleWithHost(context, record) : adopt(context, record, watcher);
    case 'restarting':
      await clearRun(context, record.id);
      return 'nothing'; // its timer is set from the record
    case 'created':
    case 'exited':
      await clearRun(context, record.id);
      await context.network.release(record.id);
      return restOfStopped(record);
    default:
      throw record.state satisfies never;
  }
}

/** A stop whose end no runner has recorded is a stop all the same. */
function restOfStopped({ state, config, finishedAtMs }: StoredContainer): Unfinished {
  if (state === 'restarting') return 'nothing'; // its timer is set from the record
  const ofTask = config.task !== undefined;
  const returns = returnsWithRunner({ policy: config.restart, ofTask, everStarted: finishedAtMs !== undefined });
  return returns ? 'start' : 'nothing';
}

/** No process of that time is left, whatever answers under its names. */
async function settleWithHost(context: EngineContext, record: StoredContainer): Promise<Unfinished> {
  const end = await lostRun(context, record.id, 'the host was restarted while it ran');
  await settleRun(context, record.id, { ...end, withHost: end.error !== '' });
  return restOfStopped(context.store.require(record.id));
}

async function adopt(context: EngineContext, record: StoredContainer, watcher: RunWatcher): Promise<Unfinished> {
  const shim = await context.launcher.connect(pathsOf(context, record.id).state);
  if (shim === undefined) {
    const why =
      record.state === 'starting'
        ? 'the runner ended while it was starting it'
        : 'its shim and processes were gone when the runner came back';
    await settleRun(context, record.id, await lostRun(context, record.id, why));
    return restOfStopped(context.store.require(record.id));
  }
  await adoptNetworks(context, record, shim.pid);
  recordRunning(context, record, shim, record.startedAtMs ?? context.clock(), watcher);
  await takePause(context, record.id);
  await enforceLimits(context, record.id).catch((error: unknown) => context.log('warn', errorText(error)));
  return record.desired === 'stopped' ? 'stop' : 'nothing';
}

/** One that was paused stays so, but for one whose pause was to end with a commit that ended with its runner. */
async function takePause(context: EngineContext, id: string): Promise<void> {
  const cgroup = cgroupDirectory(context, id);
  if (!isFrozen(cgroup)) return;
  if (isMomentary(context, id)) await thawCgroup(cgroup);
  else context.store.update(id, { paused: true });
}

/** A container that should not run: whatever a crash left of its last run goes. */
async function clearRun(context: EngineContext, id: string): Promise<void> {
  await killShim(context, id);
  await removeCgroup(cgroupDirectory(context, id));
  await releaseSharedMemory(pathsOf(context, id).shm);
}

/** Ends a process that no record speaks of, by its shim, so that the shim ends too. */
async function killShim(context: EngineContext, id: string): Promise<void> {
  const shim = await context.launcher.connect(pathsOf(context, id).state);
  if (shim === undefined) return;
  await using _ = shim;
  await shim.stop(sigkill, 0).catch(() => undefined); // ended meanwhile
  await shim.exit.catch(() => undefined); // the cgroup is emptied next in any case
}

/** Ids of which there is a directory, a cgroup or a lease, but no record. */
async function strays({ store, directory, cgroup }: EngineContext, database: DatabaseSync): Promise<Set<string>> {
  const leases = database
    .prepare('select container_id from network_leases union select container_id from port_reservations')
    .all();
  const names = [
    ...(await readdir(directory)),
    ...(await containerCgroups(join(cgroup.mountPoint, cgroup.path))).keys(),
    ...leases.map((row) => String(row['container_id'])),
  ];
  return new Set(names.filter((name) => /^[0-9a-f]{64}$/.test(name) && store.get(name) === undefined));
}

async function removeStray(context: EngineContext, id: string): Promise<void> {
  context.log('warn', `Removing the remains of container ${id}, which has no record`);
  await killShim(context, id);
  const { mountPoint, path } = context.cgroup;
  const cgroup = (await containerCgroups(join(mountPoint, path))).get(id);
  if (cgroup !== undefined) await removeCgroup(cgroup);
  await context.network.release(id);
  await removeContainerDirectory(context, id);
}
