import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assignmentDigest, diffAssignment, type Assignment } from '#shared/model/assignment.ts';
import type { AssignedTask } from '#shared/model/task.ts';
import { openRunnerDatabase } from '../database.ts';
import { AssignmentStore } from './assignment-store.ts';
import { LeaseStore } from './lease-store.ts';
import { OutcomeStore } from './outcome-store.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-assignment-'));
  path = join(directory, 'runner.db');
});
afterEach(() => rm(directory, { recursive: true }));

function task(id: string, slot = 1, epoch = 1): AssignedTask {
  return {
    id: id.padEnd(20, '0'),
    stack: 's',
    service: 'web',
    serviceId: 'v'.padEnd(20, '0'),
    slot,
    epoch,
    container: { image: 'hello:1', environment: {}, labels: {}, ports: [], restart: { kind: 'always' } },
    onDisconnect: { kind: 'keep' },
  };
}

const version = async (generation: number, of: Assignment) => ({ generation, digest: await assignmentDigest(of) });
const slot = (n: number) => `${'v'.padEnd(20, '0')}/${n}` as const;

test('a host that never had an assignment holds the empty one, at generation 0', async () => {
  using database = openRunnerDatabase(path);
  const store = await AssignmentStore.open(database);
  expect(store.version).toEqual(await version(0, { tasks: [] }));
});

test('what was applied is there again after a restart', async () => {
  const complete = { tasks: [task('a'), task('b', 2)] };
  const next = { tasks: [task('b', 2), task('c', 1, 2)] };
  {
    using database = openRunnerDatabase(path);
    const store = await AssignmentStore.open(database);
    await store.applyComplete(await version(4, complete), complete);
    const increment = await diffAssignment(complete, next);
    expect(await store.applyIncrement(await version(5, next), increment)).toBe('applied');
  }
  using database = openRunnerDatabase(path);
  const store = await AssignmentStore.open(database);
  expect(store.version).toEqual(await version(5, next));
  expect(store.assignment).toEqual(next);
  expect(store.epochs).toEqual(
    new Map([
      [slot(1), 2],
      [slot(2), 1],
    ]),
  );
  expect(new OutcomeStore(database).departed()).toEqual(new Set([task('a').id]));
});

test('what does not fit changes nothing: a wrong digest, a wrong base, a wrong result', async () => {
  using database = openRunnerDatabase(path);
  const store = await AssignmentStore.open(database);
  const held = { tasks: [task('a')] };
  const heldVersion = await version(1, held);
  await store.applyComplete(heldVersion, held);

  await expect(store.applyComplete(heldVersion, { tasks: [] })).rejects.toMatchObject({
    code: 'assignment.digest-mismatch',
  });
  const other = { tasks: [task('b')] };
  const fromOther = await diffAssignment(other, held);
  expect(await store.applyIncrement(heldVersion, fromOther)).toBe('mismatch');
  const toOther = await diffAssignment(held, other);
  expect(await store.applyIncrement(heldVersion, toOther)).toBe('mismatch');
  expect(store.version).toEqual(heldVersion);
  expect(store.assignment).toEqual(held);
});

test('increments that are applied at once are applied one after the other', async () => {
  using database = openRunnerDatabase(path);
  const store = await AssignmentStore.open(database);
  const steps: Assignment[] = [{ tasks: [] }];
  for (let n = 1; n <= 10; n += 1) steps.push({ tasks: [...(steps.at(-1)?.tasks ?? []), task(`t${n}x`, n)] });
  const results: Promise<string>[] = [];
  for (const [n, to] of steps.slice(1).entries()) {
    const increment = await diffAssignment(steps[n] ?? { tasks: [] }, to);
    results.push(store.applyIncrement(await version(n + 1, to), increment));
  }
  expect(new Set(await Promise.all(results))).toEqual(new Set(['applied']));
  expect(store.assignment.tasks).toHaveLength(10);
});

test('epochs only rise, and stay when their service has left', async () => {
  using database = openRunnerDatabase(path);
  const store = await AssignmentStore.open(database);
  for (const [generation, tasks] of [[task('a', 1, 5)], [], [task('b', 1, 3)]].entries()) {
    await store.applyComplete(await version(generation + 1, { tasks }), { tasks });
  }
  expect(store.epochs.get(slot(1))).toBe(5);
});

test('a stored assignment that cannot be read stops the runner instead of emptying the host', async () => {
  using database = openRunnerDatabase(path);
  database.exec("insert into assignment (only, generation, digest, content) values (1, 3, 'sha256:x', '{')");
  await expect(AssignmentStore.open(database)).rejects.toMatchObject({ code: 'assignment.corrupt' });
});

test('the lease on disk is never later than the real one, and at most ten seconds earlier', () => {
  using database = openRunnerDatabase(path);
  const lease = new LeaseStore(database, () => 0);
  expect(lease.expiresAtMs).toBeUndefined();
  for (const at of [100_000, 105_000, 109_999, 110_000, 112_000]) lease.set(at);
  expect(lease.expiresAtMs).toBe(112_000);
  expect(new LeaseStore(database).expiresAtMs).toBe(110_000);
  lease.set(50_000); // the clock was set back
  expect(new LeaseStore(database).expiresAtMs).toBe(50_000);
  lease.set(undefined);
  expect(new LeaseStore(database).expiresAtMs).toBeUndefined();
});

test('a lease does not become longer by a clock that is set back', () => {
  using database = openRunnerDatabase(path);
  let [now, uptime] = [1_000_000, 5000];
  const lease = new LeaseStore(
    database,
    () => now,
    () => uptime,
  );
  lease.set(now + 30_000);
  expect(lease.expiresAtMs).toBe(now + 30_000);
  now -= 500_000;
  uptime += 10_000;
  expect(lease.expiresAtMs).toBe(now + 20_000);
  now += 700_000; // set forward: it ends, rather too early than too late
  expect(lease.expiresAtMs).toBeLessThan(now);
});
