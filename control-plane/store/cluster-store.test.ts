import { expect, test } from 'vitest';
import { applyStack, deleteStack, scaleService } from '../gitops/apply.ts';
import { parseCompose } from '../gitops/compose/parse.ts';
import { temporaryDatabase } from '../dev/temporary-database.ts';
import type { Database } from '../ports.ts';
import { createCluster } from './cluster-store.ts';
import { commit, openDb } from './commit.ts';
import { listEvents } from './events.ts';
import { insertHost } from './hosts.ts';
import { assignmentDigest } from '#shared/model/assignment.ts';
import { randomId } from '#shared/id.ts';
import type { HostFacts, HostImage } from '#shared/model/host.ts';
import type { TaskStatus } from '#shared/model/task.ts';

const facts: HostFacts = {
  hostname: 'a',
  os: 'Debian',
  kernel: '6.1',
  architecture: 'amd64',
  cpus: 2,
  memoryBytes: 1,
  controllers: [],
  runnerVersion: '0.1.0',
};
const images: HostImage[] = [
  {
    id: `sha256:${'1'.repeat(64)}`,
    references: ['docker.io/library/hello:1', 'docker.io/library/hello:2'],
    sizeBytes: 1,
    createdAtMs: 0,
  },
];

async function setUp(database: Database) {
  const time = { nowMs: 1_000_000 };
  const clock = () => time.nowMs;
  const cluster = createCluster({ database, clock });
  const db = openDb(database.read);
  const cause = { kind: 'token', tokenId: 't', name: 'admin' } as const;
  const context = { database, clock, cause };
  const join = async (name: string) => {
    const id = randomId();
    const digest = await assignmentDigest({ tasks: [] });
    const row = {
      id,
      name,
      publicKey: 'A'.repeat(43),
      state: 'joined' as const,
      facts,
      images: [],
      joinedAtMs: 0,
      changedAtMs: 0,
      generation: 0,
      digest,
      appliedGeneration: 0,
      ackedSeq: 0,
      removedAtMs: null,
    };
    await commit(database, (db) => Promise.resolve({ statements: [insertHost(db, row)], result: undefined }));
    await cluster.hostConnected(id, facts, images);
    return id;
  };
  const seqs = new Map<string, number>();
  /** The host says so of all of its tasks. */
  const report = async (hostId: string, set: Partial<TaskStatus>, only?: readonly string[]) => {
    const seq = (seqs.get(hostId) ?? 0) + 1;
    seqs.set(hostId, seq);
    const { assignment } = await cluster.assignmentOf(hostId);
    const ids = only ?? assignment.tasks.map((task) => task.id);
    const status = { state: 'running', health: 'none', restarts: 0, message: '', observedAtMs: 1 } as const;
    return cluster.hostStatus(
      hostId,
      seq,
      ids.map((taskId) => ({ taskId, ...status, ...set })),
    );
  };
  const apply = (compose: string) => applyStack(context, parseCompose(compose, 'shop'));
  return { time, cluster, db, context, join, report, apply };
}

const web = (image: string, replicas: number) =>
  `services:\n  web:\n    image: ${image}\n    deploy: { replicas: ${replicas} }\n`;

test('an applied stack becomes tasks spread over the hosts, each with a generation and events', async () => {
  await using database = await temporaryDatabase();
  const { cluster, join, apply, db, report } = await setUp(database);
  const [a, b] = [await join('a'), await join('b')];
  await apply(web('hello:1', 3));
  const { touchedHosts } = await cluster.converge();
  expect(touchedHosts.toSorted()).toEqual([a, b].toSorted());
  const [onA, onB] = [await cluster.assignmentOf(a), await cluster.assignmentOf(b)];
  expect([onA.assignment.tasks.length, onB.assignment.tasks.length].toSorted((x, y) => x - y)).toEqual([1, 2]);
  expect(onA.version.generation).toBe(1);
  expect(onA.version.digest).toBe(await assignmentDigest(onA.assignment));
  expect(await cluster.converge()).toEqual({ touchedHosts: [], nextAtMs: undefined });
  await report(a, {});
  const kinds = (await listEvents(db, { limit: 100 })).map((event) => event.kind);
  expect(kinds).toEqual([
    'host.connected',
    'host.connected',
    'stack.applied',
    'service.created',
    'task.created',
    'task.created',
    'task.created',
    ...onA.assignment.tasks.map(() => 'task.running'),
  ]);
});

test('status batches are stored once, advance only, and only for the tasks of their host', async () => {
  await using database = await temporaryDatabase();
  const { cluster, join, apply, report } = await setUp(database);
  const [a, b] = [await join('a'), await join('b')];
  await apply(web('hello:1', 2));
  await cluster.converge();
  const [mine] = (await cluster.assignmentOf(a)).assignment.tasks;
  const taskId = mine?.id ?? '';
  expect(await report(a, {})).toEqual({ ackedSeq: 1 });
  const base = { taskId, health: 'none', restarts: 0, message: '', observedAtMs: 1 } as const;
  expect(await cluster.hostStatus(a, 1, [{ ...base, state: 'failed' }])).toEqual({ ackedSeq: 1 });
  await cluster.hostStatus(b, 1, [{ ...base, state: 'failed' }]);
  await cluster.hostStatus(a, 2, [{ ...base, state: 'preparing' }]);
  const row = await database.read.execute({ sql: 'SELECT state FROM tasks WHERE id = ?', args: [taskId] });
  expect(row.rows[0]?.['state']).toBe('running');
});

test('an update replaces one task at a time, after the old one has stopped and the new one runs', async () => {
  await using database = await temporaryDatabase();
  const { cluster, join, apply, report } = await setUp(database);
  const a = await join('a');
  await apply(web('hello:1', 2));
  await cluster.converge();
  await report(a, {});
  await apply(web('hello:2', 2));
  const images = async () =>
    (await cluster.assignmentOf(a)).assignment.tasks
      .toSorted((x, y) => x.slot - y.slot)
      .map((task) => `${task.slot} ${task.container.image} ${task.epoch}`);
  const before = (await cluster.assignmentOf(a)).assignment.tasks;
  await cluster.converge();
  expect(await images()).toEqual(['2 hello:1 1']);
  await cluster.converge();
  expect(await images()).toEqual(['2 hello:1 1']);
  await report(a, { state: 'shutdown' }, [before.find((task) => task.slot === 1)?.id ?? '']);
  await cluster.converge();
  expect(await images()).toEqual(['1 hello:2 2', '2 hello:1 1']);
  await cluster.converge();
  expect(await images()).toEqual(['1 hello:2 2', '2 hello:1 1']);
  await report(a, {});
  await cluster.converge();
  expect(await images()).toEqual(['1 hello:2 2']);
});

test('a lost host is down after its lease, and its tasks go elsewhere under a new epoch after the delay', async () => {
  await using database = await temporaryDatabase();
  const { time, cluster, join, apply, report } = await setUp(database);
  const [a, b] = [await join('a'), await join('b')];
  await apply(web('hello:1', 2));
  await cluster.converge();
  await report(a, {});
  await report(b, {});
  await cluster.hostDisconnected(b);
  expect(await cluster.converge()).toEqual({ touchedHosts: [], nextAtMs: time.nowMs + 30_000 });
  time.nowMs += 30_000;
  expect(await cluster.converge()).toEqual({ touchedHosts: [], nextAtMs: time.nowMs + 30_000 });
  expect(await cluster.readyHosts()).toEqual([a]);
  time.nowMs += 30_000;
  await cluster.converge();
  const { assignment } = await cluster.assignmentOf(a);
  expect(assignment.tasks.map((task) => task.epoch).toSorted((x, y) => x - y)).toEqual([1, 2]);
  expect((await cluster.assignmentOf(b)).assignment.tasks).toEqual([]);
});

test('a failed slot is tried again with growing delays', async () => {
  await using database = await temporaryDatabase();
  const { time, cluster, join, apply, report } = await setUp(database);
  const a = await join('a');
  await apply(web('hello:1', 1));
  for (const delayMs of [1000, 2000, 4000]) {
    await cluster.converge();
    await report(a, { state: 'rejected', message: 'host port 80 is taken' });
    expect((await cluster.converge()).nextAtMs).toBe(time.nowMs + delayMs);
    time.nowMs += delayMs;
  }
  for (let round = 0; round < 10; round += 1) {
    await cluster.converge();
    await report(a, { state: 'rejected' });
    time.nowMs += 60_000;
  }
  const kept = await database.read.execute('SELECT count(*) AS n FROM tasks');
  expect(Number(kept.rows[0]?.['n'])).toBeLessThanOrEqual(6);
});

test('a task that was retired before its host was told of it does not block its slot', async () => {
  await using database = await temporaryDatabase();
  const { cluster, join, apply, context } = await setUp(database);
  const a = await join('a');
  await apply(web('hello:1', 1));
  await cluster.converge();
  await cluster.hostDisconnected(a);
  await scaleService(context, 'shop', 'web', 0);
  await cluster.converge();
  await scaleService(context, 'shop', 'web', 1);
  await cluster.hostConnected(a, facts, images);
  await cluster.converge();
  expect((await cluster.assignmentOf(a)).assignment.tasks).toEqual([]);
  await cluster.hostApplied(a, (await cluster.assignmentOf(a)).version);
  await cluster.converge();
  expect((await cluster.assignmentOf(a)).assignment.tasks.map((task) => task.epoch)).toEqual([2]);
});

test('writers at the same time lose nothing', async () => {
  await using database = await temporaryDatabase();
  const { cluster, join, apply, context, db } = await setUp(database);
  const a = await join('a');
  await apply(web('hello:1', 1));
  // without the write mutex, as several processes on one libSQL server are
  const racing = {
    read: database.read,
    write: (use: Parameters<Database['write']>[0]) => use(database.read),
  } as Database;
  await Promise.all([
    ...[2, 3, 4, 5].map((replicas) => scaleService({ ...context, database: racing }, 'shop', 'web', replicas)),
    ...[1, 2, 3].map(() => cluster.converge()),
  ]);
  const applied = (await listEvents(db, { limit: 1000 })).filter((event) => event.kind === 'stack.applied');
  expect(applied.map((event) => event.subject['revision'])).toEqual(['1', '2', '3', '4', '5']);
  await cluster.converge();
  const wanted = await database.read.execute("SELECT json_extract(spec, '$.replicas') AS n FROM services");
  expect((await cluster.assignmentOf(a)).assignment.tasks.length).toBe(Number(wanted.rows[0]?.['n']));
});

test('a removed stack leaves nothing on its hosts', async () => {
  await using database = await temporaryDatabase();
  const { cluster, join, apply, context, report } = await setUp(database);
  const a = await join('a');
  await apply(web('hello:1', 3));
  await cluster.converge();
  await report(a, {});
  await deleteStack(context, 'shop');
  await cluster.converge();
  expect((await cluster.assignmentOf(a)).assignment).toEqual({ tasks: [] });
  await apply(web('hello:1', 1));
  await cluster.converge();
  expect((await cluster.assignmentOf(a)).assignment.tasks.length).toBe(1);
});

test('the ended tasks of a removed stack are forgotten when the next one is removed', async () => {
  await using database = await temporaryDatabase();
  const { cluster, join, apply, context, report } = await setUp(database);
  const a = await join('a');
  const count = async () => Number((await database.read.execute('SELECT count(*) AS n FROM tasks')).rows[0]?.['n']);
  for (const kept of [2, 2, 2]) {
    await apply(web('hello:1', 2));
    await cluster.converge();
    await report(a, {});
    const ids = (await cluster.assignmentOf(a)).assignment.tasks.map((task) => task.id);
    await deleteStack(context, 'shop');
    await cluster.converge();
    await report(a, { state: 'shutdown' }, ids);
    expect(await count()).toBe(kept);
  }
});
