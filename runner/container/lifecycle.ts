import { BerthError, errorText } from '#shared/errors.ts';
import { readExitReport } from '../launcher/exit-report.ts';
import type { ExitReport, Shim } from '../launcher/launcher.ts';
import { removeCgroup } from '../os/cgroup.ts';
import { cgroupDirectory, pathsOf, type EngineContext, type LiveContainer } from './engine-context.ts';
import { launchContainer, startFailureExitCode } from './launch.ts';
import { watchOom } from './oom-watch.ts';
import { decideRestart } from './restart.ts';
import { releaseSharedMemory } from './shared-memory.ts';
import { noNetworks, type StoredContainer } from './state.ts';

/*
 * Start and end of a run. Invariants: every function here is called from the container's own operation queue; a record
 * says `starting` before a process is asked for; what a run had (cgroup, connection, address) is taken away before
 * the record says that it ended, or again at the next start of the runner.
 *
 * That it started is on disk before its process is made (`launchContainer`): a task never runs twice. What follows needs
 * no sync of its own. A loss of power ends the run whether the record says `starting` or `running`, and a host that
 * comes back settles both alike; an end that the record has forgotten is in exit.json, which the shim has synced.
 */

/** How a run ended. */
export interface RunEnd extends ExitReport {
  /** Why, where the exit code does not say it. */
  readonly error: string;
  /** It was ended because it failed, whatever its exit code. */
  readonly failed?: boolean;
  /** No process ever ran; with when the run before it began, undefined when there was none. */
  readonly unstarted?: { readonly before: number | undefined };
  /** It ended with the host. */
  readonly withHost?: boolean;
}

/**
 * Called once for each run, when its shim has told of its end or has itself been lost; and without a connection for a
 * start that failed, when that could not be recorded.
 */
export type RunWatcher = (id: string, live: LiveContainer | undefined, end: RunEnd) => void;

/** The exit code of a run of which nobody saw the end (Docker's, too). */
const lostExitCode = 255;

/** Starts the container; nothing when it runs already. */
export async function startContainer(
  context: EngineContext,
  id: string,
  cause: 'asked' | 'policy',
  watcher: RunWatcher,
): Promise<LiveContainer | undefined> {
  const { store, live, clock } = context;
  const before = store.require(id);
  if (live.has(id)) return undefined;
  if (before.state === 'removing') throw beingRemoved(before);
  const starting = store.note(id, {
    state: 'starting',
    desired: 'running',
    health: 'none',
    error: '',
    exitCode: undefined,
    oomKilled: false,
    paused: false,
    startedAtMs: undefined,
    ...(before.probes === undefined ? {} : { probes: { ...before.probes, failures: 0 } }),
    ...(cause === 'asked' ? { restarts: 0, restartAtMs: undefined } : { restarts: before.restarts + 1 }),
  });
  try {
    const shim = await launchContainer(context, starting);
    const entry = recordRunning(context, starting, shim, clock(), watcher);
    context.attachments.begun(id, shim);
    return entry;
  } catch (error) {
    if (cause === 'asked') store.update(id, { desired: 'stopped' });
    const end = {
      exitCode: startFailureExitCode(error),
      oomKilled: false,
      finishedAtMs: clock(),
      error: errorText(error),
      unstarted: { before: before.startedAtMs },
    };
    context.attachments.failed(id, error);
    await settleRun(context, id, end).catch((unsettled: unknown) => {
      context.log('error', `Container ${id.slice(0, 12)}: ${errorText(unsettled)}`);
      watcher(id, live.get(id), end);
    });
    throw error;
  }
}

/** Records that the container runs, and watches for its end. */
export function recordRunning(
  context: EngineContext,
  record: StoredContainer,
  shim: Shim,
  startedAtMs: number,
  watcher: RunWatcher,
): LiveContainer {
  const entry: LiveContainer = { shim, health: undefined };
  context.live.set(record.id, entry);
  context.reservations.set(record.id, record.config.cgroupParent, record.config.memoryReservationBytes);
  void exitOf(context, record.id, shim).then((end) => watcher(record.id, entry, end));
  if (context.cgroup.controllers.includes('memory')) {
    entry.oom = watchOom(cgroupDirectory(context, record.id), () => {
      if (context.live.get(record.id) === entry) context.store.update(record.id, { oomKilled: true });
    });
  }
  const health = record.config.healthcheck === undefined ? 'none' : record.health;
  context.store.note(record.id, {
    state: 'running',
    pid: shim.pid,
    startedAtMs,
    health: record.config.healthcheck !== undefined && health === 'none' ? 'starting' : health,
  });
  return entry;
}

/** Resolves with how the run ended, also when its shim was killed. */
export async function exitOf(context: EngineContext, id: string, shim: Shim): Promise<RunEnd> {
  try {
    return { ...(await shim.exit), error: '' };
  } catch (error) {
    return lostRun(context, id, errorText(error));
  }
}

/** The end of a run whose shim no longer answers: what it wrote last, or that nobody knows. */
export async function lostRun(context: EngineContext, id: string, why: string): Promise<RunEnd> {
  const record = context.store.get(id);
  const report = await readExitReport(pathsOf(context, id).state);
  // The end that we know already is the one of the run before. Not "younger": the clock may have been set back.
  if (report !== undefined && report.finishedAtMs !== record?.finishedAtMs) return { ...report, error: '' };
  return {
    exitCode: lostExitCode,
    oomKilled: false,
    finishedAtMs: context.clock(),
    error: `The end of the container was not seen: ${why}`,
  };
}

/**
 * Takes away what a run had, records its end, and whether and when the policy starts the container again. The
 * connection goes last: while there is one, a record that could not be written (disk full) is tried again.
 */
export async function settleRun(context: EngineContext, id: string, end: RunEnd): Promise<void> {
  const { store, network } = context;
  context.live.get(id)?.health?.[Symbol.dispose]();
  await attempt(context, id, () => removeCgroup(cgroupDirectory(context, id)));
  await attempt(context, id, () => releaseSharedMemory(pathsOf(context, id).shm));
  const record = store.require(id);
  const decision = decideRestart({
    policy: record.config.restart,
    stopped: record.desired === 'stopped',
    exitCode: end.failed === true ? Math.max(1, end.exitCode) : end.exitCode,
    restarts: record.restarts,
    ranMs: record.startedAtMs === undefined ? 0 : end.finishedAtMs - record.startedAtMs,
    lastBackoffMs: record.backoffMs,
    // The task of a cluster is to run, whatever happened to its host.
    withHost: end.withHost === true && record.config.task === undefined,
  });
  const ended = {
    pid: 0,
    paused: false,
    health: 'none',
    exitCode: end.exitCode,
    oomKilled: end.oomKilled,
    error: end.error,
    finishedAtMs: end.finishedAtMs,
  } as const;
  if (decision.kind === 'restart') {
    store.note(id, { ...ended, state: 'restarting', restartAtMs: end.finishedAtMs + decision.backoffMs });
  } else {
    await attempt(context, id, () => network.release(id));
    store.note(id, { ...ended, ...restingState(record, end), restartAtMs: undefined, ...noNetworks });
  }
  await disconnect(context, id);
}

/** What has never run is still only created, as with Docker; but for a task's container, which will not be tried again. */
function restingState({ config, finishedAtMs }: StoredContainer, { unstarted }: RunEnd): Partial<StoredContainer> {
  if (unstarted === undefined || config.task !== undefined) return { state: 'exited' };
  if (unstarted.before === undefined) return { state: 'created', finishedAtMs };
  return { state: 'exited', startedAtMs: unstarted.before };
}

/** Ends the connection to a container's shim, and its health checks. */
export async function disconnect(context: EngineContext, id: string): Promise<void> {
  const entry = context.live.get(id);
  if (entry === undefined) return;
  context.live.delete(id);
  context.reservations.delete(id);
  entry.health?.[Symbol.dispose]();
  entry.oom?.[Symbol.dispose]();
  await entry.shim[Symbol.asyncDispose]();
}

/** The end of a run is recorded whatever clings to it; what stays behind is taken away when a runner starts again. */
async function attempt(context: EngineContext, id: string, cleanUp: () => Promise<void>): Promise<void> {
  try {
    await cleanUp();
  } catch (error) {
    context.log('error', `Container ${id.slice(0, 12)}: ${errorText(error)}`);
  }
}

function beingRemoved({ config }: StoredContainer): BerthError {
  return new BerthError('conflict', 'container.removing', `The container "${config.name}" is being removed`, {
    remedy: 'Create a new one when its name is free again.',
  });
}
