import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '#shared/errors.ts';
import { removeIdentity } from './agent/identity.ts';
import type { Engine } from './container/engine.ts';
import { ContainerStore, type StoredContainer } from './container/state.ts';
import { openDataRoot } from './data-root.ts';
import { forgetCluster, lastSocket } from './database.ts';
import { removeDeadSocket } from './docker-api/unix-socket.ts';
import { openEngine } from './engine-parts.ts';
import type { Log } from './log.ts';
import { isErrno, removeTree } from './os/files.ts';
import type { RunnerDatabase } from './runner-database.ts';

export interface LeaveOptions {
  readonly dataRoot: string;
  /** Also containers that were not made for a task. */
  readonly all: boolean;
  /** The data root as well, with its images. */
  readonly purge: boolean;
  readonly log: Log;
  /** Called with a line for each thing that has been done. */
  readonly tell: (line: string) => void;
}

/** How many containers are named in an error. */
const NAMED = 5;

/**
 * Takes a host's runner down for good: identity, containers, network and cgroups; images stay unless `purge`. It needs no
 * control plane.
 *
 * Crash safety: nothing is done before all is known to be allowed; the identity goes first, so that no runner can start
 * half way through; everything after it can be done again, by the same command, from wherever it was left.
 *
 * @throws BerthError `data-root.in-use`, `leave.containers`, `leave.no-data-root`, and what the parts throw
 */
export async function leaveCluster(options: LeaveOptions): Promise<void> {
  const { dataRoot: path, purge, tell } = options;
  const names = await namesIn(path);
  if (names === undefined) return tell(`nothing is left: there is no data root ${path}`);
  const isData = names.includes('runner.db');
  // The database goes last; a crash may have left what SQLite has beside it, or the directory.
  if (!isData && purge && names.every(isOfDatabase)) {
    await removeTree(path);
    return tell(`removed the data root ${path}`);
  }
  if (!isData) {
    throw new BerthError('conflict', 'leave.no-data-root', `leave: the directory ${path} is no data root of a runner`, {
      remedy: 'Name the right one with --data-root DIR.',
    });
  }
  {
    using dataRoot = await openDataRoot(path);
    await takeDown(options, dataRoot.database);
    const socketPath = lastSocket(dataRoot.database);
    if (socketPath !== undefined) await removeDeadSocket(socketPath); // of a runner that was killed
    if (purge) await removeAllButDatabase(path);
  }
  if (!purge) return tell(`the data root ${path} stays, with its images; to remove it too: --purge`);
  await removeTree(path);
  tell(`removed the data root ${path}`);
}

async function takeDown({ dataRoot, all, log, tell }: LeaveOptions, database: RunnerDatabase): Promise<void> {
  const store = new ContainerStore(database);
  const records = store.list();
  if (!all) refuseOthers(records.filter(({ config }) => config.task === undefined));
  if (await removeIdentity(dataRoot)) tell('removed the identity: this host belongs to no cluster');
  forgetCluster(database);
  // The engine begins with carrying on what the records say: what has ended goes, and nothing is started again.
  for (const record of records) store.update(record.id, intended(record));
  await using parts = await openEngine({ dataRoot, database, clock: Date.now, log });
  await Promise.all(parts.engine.list().map(({ id }) => end(parts.engine, id)));
  if (records.length > 0)
    tell(`stopped and removed ${records.length === 1 ? '1 container' : `${records.length} containers`}`);
  await parts.removeTraces();
  tell(`removed the bridge br-${parts.instance}, the nftables table and the cgroup berth-${parts.instance}`);
}

function refuseOthers(others: readonly StoredContainer[]): void {
  if (others.length === 0) return;
  const names = others.slice(0, NAMED).map(({ config }) => config.name);
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : '';
  throw new BerthError(
    'conflict',
    'leave.containers',
    `leave: there are containers here that no task was made for: ${names.join(', ')}${more}`,
    { remedy: 'Remove them first, or let them be removed with the rest: berth runner leave --all' },
  );
}

function intended({ state }: StoredContainer): Partial<StoredContainer> {
  const ends = { desired: 'stopped', restartAtMs: undefined } as const;
  return state === 'running' || state === 'starting' ? ends : { ...ends, state: 'removing' };
}

/** Stops it as it wishes to be stopped, and removes it. */
async function end(engine: Engine, id: string): Promise<void> {
  try {
    await engine.stop(id);
  } finally {
    if (engine.find(id) !== undefined) await engine.remove(id, { force: true });
  }
}

/** The names in a directory, undefined when it is not there. */
async function namesIn(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** By its database a half removed data root is known as one. */
async function removeAllButDatabase(path: string): Promise<void> {
  for (const name of await readdir(path)) if (!isOfDatabase(name)) await removeTree(join(path, name));
}

function isOfDatabase(name: string): boolean {
  return /^runner\.db(?:-(?:wal|shm|journal))?$/.test(name);
}
