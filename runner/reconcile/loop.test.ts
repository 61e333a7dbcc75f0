import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '#shared/errors.ts';
import { randomId } from '#shared/id.ts';
import { assignmentDigest, type Assignment } from '#shared/model/assignment.ts';
import type { RestartPolicy } from '#shared/model/service.ts';
import type { AssignedTask, TaskStatus } from '#shared/model/task.ts';
import type { ContainerConfig } from '../container/config.ts';
import type { ContainerRecord, Engine } from '../container/engine.ts';
import { openRunnerDatabase } from '../database.ts';
import type { ImageRecord, ImageStore } from '../image/store.ts';
import { createReconciler } from './loop.ts';
import type { Reconciler } from './reconciler.ts';

/** An engine without processes, which a test can break: its steps take a few turns and can be made to fail. */
class MemoryEngine implements Engine {
  readonly records = new Map<string, ContainerRecord>();
  readonly failures = new Map<string, BerthError>(); // of `start`, by service
  readonly crowded: string[] = []; // slots that two operations or two processes were in
  mostAtOnce = 0;
  readonly #busy = new Map<string, number>();
  readonly #listeners = new Set<(id: string, record: ContainerRecord | undefined) => void>();

  async create(config: ContainerConfig): Promise<ContainerRecord> {
    return this.#operation(config, () => {
      const id = randomBytes(32).toString('hex');
      return this.#put({
        id,
        config,
        state: 'created',
        health: 'none',
        pid: 0,
        address: undefined,
        exitCode: undefined,
        oomKilled: false,
        paused: false,
        error: '',
        restarts: 0,
        createdAtMs: Date.now(),
        startedAtMs: undefined,
        finishedAtMs: undefined,
        restartAtMs: undefined,
      });
    });
  }

  async start(id: string): Promise<void> {
    const { config } = this.#require(id);
    await this.#operation(config, () => {
      const failure = this.failures.get(config.name.split('.')[1] ?? '');
      if (failure !== undefined) throw failure;
      this.change(id, { state: 'running', startedAtMs: Date.now(), exitCode: undefined });
    });
  }

  async stop(id: string): Promise<void> {
    await this.#operation(this.#require(id).config, () => this.change(id, { state: 'exited', exitCode: 143 }));
  }

  async remove(id: string): Promise<void> {
    const record = this.#require(id);
    if (record.state === 'running') throw new BerthError('conflict', 'container.running', 'it runs');
    await this.#operation(record.config, () => this.drop(id));
  }

  find(reference: string): ContainerRecord | undefined {
    return this.records.get(reference) ?? this.list().find(({ config }) => config.name === reference);
  }

  list(): readonly ContainerRecord[] {
    return [...this.records.values()];
  }

  onChange(listener: (id: string, record: ContainerRecord | undefined) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  change(id: string, change: Partial<ContainerRecord>): void {
    this.#put({ ...this.#require(id), ...change });
  }

  drop(id: string): void {
    this.records.delete(id);
    for (const listener of this.#listeners) listener(id, undefined);
  }

  kill = unused;
  wait = unused;
  logs = unused;
  exec = unused;

  #require(id: string): ContainerRecord {
    const record = this.records.get(id);
    if (record === undefined) throw new BerthError('not-found', 'container.unknown', `no ${id}`);
    return record;
  }

  #put(record: ContainerRecord): ContainerRecord {
    this.records.set(record.id, record);
    const running = this.list().filter(
      ({ state, config }) => state === 'running' && slotOf(config) === slotOf(record.config),
    );
    if (running.length > 1) this.crowded.push(slotOf(record.config));
    for (const listener of this.#listeners) listener(record.id, record);
    return record;
  }

  async #operation<Result>({ task }: ContainerConfig, perform: () => Result): Promise<Result> {
    const slot = `${task?.serviceId}/${task?.slot}`;
    const inSlot = (this.#busy.get(slot) ?? 0) + 1;
    if (inSlot > 1) this.crowded.push(slot);
    this.#busy.set(slot, inSlot);
    this.mostAtOnce = Math.max(
      this.mostAtOnce,
      [...this.#busy.values()].reduce((sum, n) => sum + n, 0),
    );
    try {
      for (let turns = 0; turns < 3; turns += 1) await turn();
      return perform();
    } finally {
      this.#busy.set(slot, inSlot - 1);
    }
  }
}

function slotOf({ task }: ContainerConfig): string {
  return `${task?.serviceId}/${task?.slot}`;
}

function unused(): never {
  throw new Error('the reconciler does not use this');
}

const image: ImageRecord = {
  id: 'sha256:1',
  references: ['docker.io/library/hello:1'],
  config: { architecture: 'amd64', os: 'linux', config: { Cmd: ['serve'] }, rootfs: { type: 'layers', diff_ids: [] } },
  layerDirectories: [],
  sizeBytes: 1,
  createdAtMs: 0,
};
const images: ImageStore = {
  guard: () => ({ [Symbol.dispose]: () => {} }),
  load: unused,
  find: (reference) => (reference === 'hello:1' ? image : undefined),
  list: () => [image],
  remove: unused,
  onChange: () => ({ [Symbol.dispose]: () => {} }),
};

let directory: string;
let stack: AsyncDisposableStack;
let engine: MemoryEngine;
let database: DatabaseSync;
let reconciler: Reconciler;
let now: number;

async function startLoop(): Promise<() => Promise<void>> {
  reconciler = await createReconciler({ database, engine, images, clock: () => now });
  const abort = new AbortController();
  const run = reconciler.run({ signal: abort.signal });
  const stop = (): Promise<void> => {
    abort.abort();
    return run;
  };
  stack.defer(stop);
  return stop;
}

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'berth-loop-'));
  stack.defer(() => rm(directory, { recursive: true }));
  database = stack.use(openRunnerDatabase(join(directory, 'runner.db')));
  engine = new MemoryEngine();
  now = 1_000_000;
});
afterEach(() => stack.disposeAsync());

const serviceIds = new Map<string, string>();
function task(
  service: string,
  slot: number,
  change: Partial<AssignedTask> = {},
  restart?: RestartPolicy,
): AssignedTask {
  const serviceId = serviceIds.get(service) ?? randomId();
  serviceIds.set(service, serviceId);
  return {
    id: randomId(),
    stack: 's',
    service,
    serviceId,
    slot,
    epoch: 1,
    container: { image: 'hello:1', environment: {}, labels: {}, ports: [], restart: restart ?? { kind: 'always' } },
    onDisconnect: { kind: 'keep' },
    ...change,
  };
}

let generation = 0;
async function assign(...tasks: AssignedTask[]): Promise<void> {
  const assignment: Assignment = { tasks };
  generation += 1;
  await reconciler.applyComplete({ generation, digest: await assignmentDigest(assignment) }, assignment);
}

const statesOf = (tasks: readonly AssignedTask[]): readonly (string | undefined)[] => {
  const states = new Map(reconciler.statuses().map(({ taskId, state }) => [taskId, state]));
  return tasks.map(({ id }) => states.get(id));
};
const runningNames = (): readonly string[] =>
  engine
    .list()
    .filter(({ state }) => state === 'running')
    .map(({ config }) => config.name)
    .toSorted();
const namesOf = (tasks: readonly AssignedTask[]): readonly string[] =>
  tasks.map(({ stack, service, slot, id }) => `${stack}.${service}.${slot}.${id}`).toSorted();

test('tasks come to run, side by side within a bound, and their statuses are told as they change', async () => {
  await startLoop();
  const told: TaskStatus[] = [];
  stack.use(reconciler.onStatus((changed) => told.push(...changed)));
  const tasks = Array.from({ length: 30 }, (_, index) => task('web', index + 1));
  await assign(...tasks);
  await expect.poll(() => statesOf(tasks)).toEqual(tasks.map(() => 'running'));
  expect(runningNames()).toEqual(namesOf(tasks));
  expect(engine.mostAtOnce).toBeGreaterThan(1);
  expect(engine.mostAtOnce).toBeLessThanOrEqual(8);
  expect(engine.crowded).toEqual([]);
  const first = told.filter(({ taskId }) => taskId === tasks[0]?.id).map(({ state }) => state);
  expect(first).toEqual(['preparing', 'preparing', 'running']);
});

test('a container that vanishes or is stopped comes back; one of nobody is left alone', async () => {
  await startLoop();
  const one = task('web', 1);
  await assign(one);
  await expect.poll(() => statesOf([one])).toEqual(['running']);
  const { task: _task, ...foreign } = engine.list()[0]?.config ?? unused();
  const { id } = await engine.create({ ...foreign, name: 'mine' });
  engine.drop(engine.find(namesOf([one])[0] ?? '')?.id ?? '');
  await expect.poll(() => runningNames()).toEqual(namesOf([one]));
  await assign();
  await expect.poll(() => engine.list().map((record) => record.id)).toEqual([id]);
  expect(statesOf([one])).toEqual(['shutdown']);
});

test('a new task takes a slot over from the old one, and both never run at once', async () => {
  await startLoop();
  let current = [1, 2, 3].map((slot) => task('web', slot));
  await assign(...current);
  for (let epoch = 2; epoch < 8; epoch += 1) {
    current = [1, 2, 3].map((slot) => task('web', slot, { epoch }));
    await assign(...current);
    for (let turns = epoch; turns > 0; turns -= 1) await turn();
  }
  await expect.poll(() => runningNames()).toEqual(namesOf(current));
  await expect.poll(() => engine.list()).toHaveLength(3);
  expect(engine.crowded).toEqual([]);
});

test('a task that ended stays ended over a restart of the runner', async () => {
  const stop = await startLoop();
  const job = task('job', 1, {}, { kind: 'no' });
  await assign(job);
  await expect.poll(() => statesOf([job])).toEqual(['running']);
  engine.change(engine.list()[0]?.id ?? '', { state: 'exited', exitCode: 0 });
  await expect.poll(() => statesOf([job])).toEqual(['complete']);
  await stop();
  engine.drop(engine.list()[0]?.id ?? '');
  await startLoop();
  expect(statesOf([job])).toEqual(['complete']);
  const other = task('web', 1);
  await assign(job, other);
  await expect.poll(() => statesOf([job, other])).toEqual(['complete', 'running']);
  expect(runningNames()).toEqual(namesOf([other]));
});

test('a failing step stops no other: it is told, and tried again or final', async () => {
  engine.failures.set(
    'taken',
    new BerthError('conflict', 'port.taken', 'Bind for 0.0.0.0:80 failed', { remedy: 'Free it' }),
  );
  engine.failures.set('flaky', new BerthError('unavailable', 'network.nft-failed', 'nft is gone'));
  await startLoop();
  const tasks = ['taken', 'flaky', 'web'].map((service) => task(service, 1));
  const [taken, flaky] = tasks;
  await assign(...tasks);
  await expect.poll(() => statesOf(tasks)).toEqual(['rejected', 'preparing', 'running']);
  const messageOf = (of: AssignedTask | undefined) =>
    reconciler.statuses().find(({ taskId }) => taskId === of?.id)?.message;
  expect(messageOf(taken)).toBe('Bind for 0.0.0.0:80 failed. Free it');
  await expect.poll(() => messageOf(flaky)).toBe('nft is gone (failed 1 times, will be tried again)');
  engine.failures.clear();
  now += 60_000;
  reconciler.setLease(undefined); // wakes the loop, as the timer would after a second
  await expect.poll(() => statesOf(tasks)).toEqual(['rejected', 'running', 'running']);
});

test('the host itself stops a stop-after task when its lease has ended, and starts it no more', async () => {
  await startLoop();
  const onDisconnect = { kind: 'stop-after' as const, afterMs: 1500 };
  const [stopped, kept] = [task('web', 1, { onDisconnect }), task('web', 2)];
  reconciler.setLease(now + 30);
  await assign(stopped, kept);
  await expect.poll(() => statesOf([stopped, kept])).toEqual(['running', 'running']);
  now += 1530; // the timer that was set for this moment goes off by itself
  await expect.poll(() => statesOf([stopped, kept])).toEqual(['shutdown', 'running']);
  reconciler.setLease(now + 30_000);
  await turn();
  expect(runningNames()).toEqual(namesOf([kept]));
});

test('a status that a listener could not take is told again', async () => {
  await startLoop();
  const told: (string | undefined)[] = [];
  let full = true;
  stack.use(
    reconciler.onStatus((changed) => {
      if (full) throw new Error('the disk is full');
      told.push(...changed.map(({ state }) => state));
    }),
  );
  await assign(task('web', 1, { container: { ...task('web', 1).container, image: 'missing:1' } }));
  await turn();
  expect(told).toEqual([]);
  full = false;
  await expect.poll(() => told).toEqual(['rejected']);
});

test('run ends when told to, and leaves the containers as they are', async () => {
  const stop = await startLoop();
  const one = task('web', 1);
  await assign(one);
  await expect.poll(() => statesOf([one])).toEqual(['running']);
  await stop();
  expect(runningNames()).toEqual(namesOf([one]));
});
