import { fromBase64Url } from '#shared/bytes.ts';
import { BerthError } from '#shared/errors.ts';
import { isTerminal, type TaskStatus } from '#shared/model/task.ts';
import { assignmentDigest } from '#shared/model/assignment.ts';
import { taskSubject } from '../core/change-events.ts';
import { converge } from '../core/converge.ts';
import type { NewEvent } from '../core/event.ts';
import { advance } from '../core/status.ts';
import type { Clock, Cluster, Database } from '../ports.ts';
import { commit, openDb, type Db, type Statement } from './commit.ts';
import { appendEvents, newestEventId } from './events.ts';
import { hostById, hostsById, listHosts, toHostRecord, updateHost, type HostRow } from './hosts.ts';
import { saveConvergence } from './save-convergence.ts';
import { listServices, listSlots } from './services.ts';
import {
  desiredTasks,
  liveTasks,
  neverHeldTasks,
  tasksById,
  toAssignedTask,
  toTaskRecord,
  updateTasks,
  type TaskRow,
} from './tasks.ts';

/** What each method works with. */
interface Store {
  readonly database: Database;
  readonly clock: Clock;
}

/** The cluster's state in the database, as the hub uses it. The database must have been migrated (`store/migrate.ts`). */
export function createCluster(options: { readonly database: Database; readonly clock: Clock }): Cluster {
  const { database } = options;
  const store: Store = options;
  const reader = openDb(database.read);
  return {
    identity: async (hostId) => {
      const host = await hostById(reader, hostId);
      if (host === undefined) return undefined;
      const publicKey = fromBase64Url(host.publicKey) ?? new Uint8Array();
      return { id: host.id, name: host.name, publicKey, revoked: host.removedAtMs !== null };
    },
    hostConnected: (hostId, facts, images) =>
      onHost(store, hostId, (db, host, nowMs) => {
        const isNew = host.state !== 'ready';
        const set = { facts, images, state: 'ready' as const, ...(isNew ? { changedAtMs: nowMs } : {}) };
        const statements = [updateHost(db, hostId, set)];
        if (isNew) statements.push(...appendEvents(db, nowMs, [hostEvent(host, 'host.connected', 'is connected')]));
        return { statements, result: { ackedSeq: host.ackedSeq } };
      }),
    hostDisconnected: (hostId) => hostDisconnected(store, hostId),
    hostImages: (hostId, images) =>
      onHost(store, hostId, (db) => ({ statements: [updateHost(db, hostId, { images })], result: undefined })),
    hostStatus: (hostId, seq, statuses) =>
      onHost(store, hostId, async (db, host, nowMs) => {
        if (seq <= host.ackedSeq) return { statements: [], result: { ackedSeq: host.ackedSeq } };
        const statements = await statusStatements(db, host, statuses, nowMs);
        return { statements: [updateHost(db, hostId, { ackedSeq: seq }), ...statements], result: { ackedSeq: seq } };
      }),
    hostApplied: (hostId, version) =>
      onHost(store, hostId, async (db, host, nowMs) => {
        if (version.generation <= host.appliedGeneration) return { statements: [], result: undefined };
        const statements = [updateHost(db, hostId, { appliedGeneration: version.generation })];
        statements.push(...endNeverHeld(db, nowMs, await neverHeldTasks(db, host, version.generation)));
        return { statements, result: undefined };
      }),
    readyHosts: async () => {
      const hosts = await listHosts(reader);
      return hosts.filter((host) => host.state === 'ready').map((host) => host.id);
    },
    newestEventId: () => newestEventId(reader),
    assignmentOf: (hostId) => assignmentOf(reader, hostId),
    converge: () => runConverge(store),
  };
}

function hostEvent(host: HostRow, kind: string, text: string): NewEvent {
  return {
    kind,
    subject: { host: host.name },
    message: `host ${host.name} ${text}`,
    cause: { kind: 'host', hostId: host.id, name: host.name },
  };
}

type Decided<Result> = { readonly statements: readonly Statement[]; readonly result: Result };

/** One guarded write about a host that is part of the cluster. */
function onHost<Result>(
  store: Store,
  hostId: string,
  decide: (db: Db, host: HostRow, nowMs: number) => Decided<Result> | Promise<Decided<Result>>,
): Promise<Result> {
  return commit(store.database, async (db) => {
    const host = await hostById(db, hostId);
    if (host === undefined || host.removedAtMs !== null) {
      throw new BerthError('not-found', 'host.unknown', `host ${hostId} is not part of this cluster`);
    }
    return decide(db, host, store.clock());
  });
}

/** Also called for a host that was removed while it was connected, which is no news. */
function hostDisconnected({ database, clock }: Store, hostId: string): Promise<void> {
  return commit(database, async (db) => {
    const host = await hostById(db, hostId);
    if (host?.state !== 'ready') return { statements: [], result: undefined };
    const nowMs = clock();
    const event = hostEvent(host, 'host.disconnected', 'lost its connection');
    const away = updateHost(db, hostId, { state: 'away', changedAtMs: nowMs });
    return { statements: [away, ...appendEvents(db, nowMs, [event])], result: undefined };
  });
}

async function statusStatements(
  db: Db,
  host: HostRow,
  statuses: readonly TaskStatus[],
  nowMs: number,
): Promise<Statement[]> {
  const ids = statuses.map((status) => status.taskId);
  const rows = new Map((await tasksById(db, ids)).map((row) => [row.id, row]));
  const statements: Statement[] = [];
  const events: NewEvent[] = [];
  for (const status of statuses) {
    const row = rows.get(status.taskId);
    const step = row && advance(toTaskRecord(row), host.id, status, nowMs);
    if (row === undefined || step === undefined) continue;
    const { stateChanged, ...times } = step;
    const set = { ...observed(status), ...times };
    rows.set(row.id, { ...row, ...set }); // a batch may tell of one task more than once
    statements.push(...updateTasks(db, [row.id], set));
    if (stateChanged) events.push(statusEvent(host, row, status));
  }
  return [...statements, ...appendEvents(db, nowMs, events)];
}

function observed(status: TaskStatus) {
  return {
    state: status.state,
    ended: isTerminal(status.state),
    health: status.health,
    containerId: status.containerId ?? null,
    address: status.address ?? null,
    exitCode: status.exitCode ?? null,
    oomKilled: status.oomKilled ?? null,
    restarts: status.restarts,
    message: status.message,
    observedAtMs: status.observedAtMs,
  };
}

function statusEvent(host: HostRow, row: TaskRow, status: TaskStatus): NewEvent {
  const why = status.message === '' ? '' : `: ${status.message}`;
  return {
    kind: `task.${status.state}`,
    subject: { ...taskSubject(row), host: host.name },
    message: `${row.stack}/${row.service}.${row.slot} is ${status.state} on host ${host.name}${why}`,
    cause: { kind: 'host', hostId: host.id, name: host.name },
  };
}

/** Ends tasks that their host was never told of, so that their slots do not wait for a report that cannot come. */
function endNeverHeld(db: Db, nowMs: number, rows: readonly TaskRow[]): Statement[] {
  const message = 'it was retired before its host was told of it';
  const ended = { state: 'shutdown', ended: true, endedAtMs: nowMs, message } as const;
  const events = rows.map((row) => ({
    kind: 'task.shutdown',
    subject: taskSubject(row),
    message: `${row.stack}/${row.service}.${row.slot} never ran: ${message}`,
    cause: { kind: 'system' as const, rule: 'converge' },
  }));
  const ids = rows.map((row) => row.id);
  return [...updateTasks(db, ids, ended), ...appendEvents(db, nowMs, events)];
}

/**
 * The version is that of the tasks which are read with it: when a convergence is stored between the two reads, their
 * digest is not the stored one, and the next try sees it whole.
 */
async function assignmentOf(db: Db, hostId: string): ReturnType<Cluster['assignmentOf']> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const host = await hostById(db, hostId);
    if (host === undefined) {
      throw new BerthError('not-found', 'host.unknown', `host ${hostId} is not part of this cluster`);
    }
    const assignment = { tasks: (await desiredTasks(db, hostId)).map(toAssignedTask) };
    const { generation, digest } = host;
    if ((await assignmentDigest(assignment)) === digest) return { version: { generation, digest }, assignment };
  }
  throw new BerthError('unavailable', 'assignment.changing', `the assignment of host ${hostId} keeps changing`);
}

function runConverge(store: Store): ReturnType<Cluster['converge']> {
  return commit(store.database, async (db) => {
    const nowMs = store.clock();
    const [current, services, tasks, slots] = [
      await listHosts(db),
      await listServices(db),
      await liveTasks(db),
      await listSlots(db),
    ];
    const known = new Set(current.map((host) => host.id));
    const gone = new Set(tasks.map((task) => task.hostId).filter((id) => !known.has(id)));
    const hosts = [...current, ...(await hostsById(db, [...gone]))];
    const result = converge({
      hosts: hosts.map(toHostRecord),
      services,
      tasks: tasks.map(toTaskRecord),
      slots,
      nowMs,
    });
    const { statements, touchedHosts } = await saveConvergence(db, { hosts, tasks, slots, nowMs }, result);
    return { statements, result: { touchedHosts, nextAtMs: result.nextAtMs } };
  });
}
