import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Assignment } from '#shared/model/assignment.ts';
import type { RestartPolicy } from '#shared/model/service.ts';
import { isTerminal, type AssignedTask, type TaskStatus } from '#shared/model/task.ts';
import { containerConfig } from '../container/config.ts';
import type { ContainerRecord } from '../container/engine.ts';
import type { Plan, PlanInput } from './draft.ts';
import { OUTCOME_RETENTION_MS, planSteps } from './plan.ts';
import { slotKey, type SlotKey } from './slot.ts';
import type { Step } from './step.ts';

const NOW = 1_000_000;

function task(
  id: string,
  change: Partial<AssignedTask> = {},
  restart: RestartPolicy = { kind: 'always' },
): AssignedTask {
  return {
    id,
    stack: 's',
    service: 'web',
    serviceId: 'v',
    slot: 1,
    epoch: 1,
    container: { image: 'hello:1', environment: {}, labels: {}, ports: [], restart },
    onDisconnect: { kind: 'keep' },
    ...change,
  };
}

function container(of: AssignedTask, change: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id: `c-${of.id}`,
    config: containerConfig.parse({
      name: `${of.stack}.${of.service}.${of.slot}.${of.id}`,
      image: of.container.image,
      imageId: 'sha256:1',
      args: ['x'],
      environment: [],
      workingDirectory: '',
      user: '',
      hostname: '',
      labels: {},
      restart: of.container.restart,
      ports: [],
      publishGroup: of.serviceId,
      networkNamespace: { kind: 'own' },
      endpoints: [],
      task: { id: of.id, epoch: of.epoch, serviceId: of.serviceId, slot: of.slot },
    }),
    state: 'running',
    health: 'none',
    pid: 1,
    address: '10.83.0.2',
    exitCode: undefined,
    oomKilled: false,
    paused: false,
    error: '',
    restarts: 0,
    createdAtMs: NOW,
    startedAtMs: NOW,
    finishedAtMs: undefined,
    restartAtMs: undefined,
    ...change,
  };
}

function plan(
  tasks: readonly AssignedTask[],
  containers: readonly ContainerRecord[],
  change: Partial<PlanInput> = {},
): Plan {
  return planSteps({
    assignment: { tasks: [...tasks] },
    epochs: new Map(tasks.map((one) => [slotKey(one), one.epoch])),
    containers,
    images: new Set(['hello:1']),
    outcomes: new Map(),
    departed: new Set(),
    failures: new Map(),
    leaseExpiresAtMs: undefined,
    now: NOW,
    ...change,
  });
}

const kinds = (made: Plan): readonly string[] => made.steps.map((step) => step.kind);
const failure = (code: string, attempts = 1) => ({
  kind: 'startContainer' as const,
  code,
  text: `text of ${code}`,
  attempts,
  retryAtMs: NOW + 500,
});

test('a task goes from nothing to a container to running, one step at a time', () => {
  const t = task('t');
  const first = plan([t], []);
  expect(kinds(first)).toEqual(['createContainer']);
  expect(first.statuses).toMatchObject([{ taskId: 't', state: 'preparing' }]);
  const second = plan([t], [container(t, { state: 'created', startedAtMs: undefined })]);
  expect(kinds(second)).toEqual(['startContainer']);
  const third = plan([t], [container(t, { state: 'starting' })]);
  expect(third.steps).toEqual([]);
  expect(third.statuses).toMatchObject([{ state: 'starting' }]);
  const fourth = plan([t], [container(t)]);
  expect(fourth.steps).toEqual([]);
  expect(fourth.statuses).toMatchObject([{ state: 'running', containerId: 'c-t', address: '10.83.0.2' }]);
});

test('a missing image rejects the task and says how to load it', () => {
  const made = plan([task('t')], [], { images: new Set() });
  expect(made.steps).toEqual([]);
  expect(made.settled).toMatchObject([
    { state: 'rejected', message: 'image "hello:1" is not on this host; load it with: berth image load' },
  ]);
});

test('health decides between starting and running', () => {
  const t = task('t');
  const stateOf = (health: ContainerRecord['health']) => plan([t], [container(t, { health })]).statuses[0];
  expect(stateOf('starting')).toMatchObject({ state: 'starting', health: 'starting' });
  expect(stateOf('healthy')).toMatchObject({ state: 'running', health: 'healthy' });
  expect(stateOf('unhealthy')).toMatchObject({ state: 'running', health: 'unhealthy' });
});

test('a task without restart is complete or failed when its container ends, and never runs again', () => {
  const t = task('t', {}, { kind: 'no' });
  const ended = (exitCode: number) => plan([t], [container(t, { state: 'exited', exitCode })]);
  expect(ended(0).settled).toMatchObject([{ state: 'complete', exitCode: 0 }]);
  expect(ended(3).settled).toMatchObject([{ state: 'failed', exitCode: 3, message: 'ended with exit code 3' }]);
  const outcomes = new Map(ended(0).settled.map((status) => [status.taskId, status]));
  expect(plan([t], [], { outcomes })).toMatchObject({ steps: [], settled: [], statuses: [{ state: 'complete' }] });
});

test('a container that somebody stopped or removed on the host comes back', () => {
  const t = task('t');
  expect(kinds(plan([t], [container(t, { state: 'exited', exitCode: 143 })]))).toEqual(['startContainer']);
  expect(kinds(plan([t], []))).toEqual(['createContainer']);
});

test('what left the assignment is stopped, then told, then removed', () => {
  const t = task('t');
  const first = plan([], [container(t)], { departed: new Set(['t']) });
  expect(kinds(first)).toEqual(['stopContainer']);
  expect(first.settled).toEqual([]);
  const second = plan([], [container(t, { state: 'exited', exitCode: 143 })], { departed: new Set(['t']) });
  expect(kinds(second)).toEqual(['removeContainer']);
  expect(second.settled).toMatchObject([{ state: 'shutdown', exitCode: 143 }]);
  const never = plan([], [], { departed: new Set(['t']) });
  expect(never.settled).toMatchObject([{ taskId: 't', state: 'shutdown' }]);
});

test('an outcome is told for a while after its task has left, then forgotten', () => {
  const outcomes = new Map(plan([], [], { departed: new Set(['t']) }).settled.map((one) => [one.taskId, one]));
  const soon = plan([], [], { outcomes });
  expect(soon).toMatchObject({ statuses: [{ taskId: 't' }], forgotten: [], nextAtMs: NOW + OUTCOME_RETENTION_MS });
  const late = plan([], [], { outcomes, now: NOW + OUTCOME_RETENTION_MS });
  expect(late).toMatchObject({ statuses: [], forgotten: ['t'], nextAtMs: undefined });
});

test('a removal that failed is tried again, whether its task is wanted or not', () => {
  const t = task('t');
  const removing = container(t, { state: 'removing' });
  for (const tasks of [[t], []]) {
    expect(kinds(plan(tasks, [removing]))).toEqual(['removeContainer']);
    const waiting = plan(tasks, [removing], { failures: new Map([['t', failure('launcher.spawner-lost')]]) });
    expect(waiting).toMatchObject({ steps: [], nextAtMs: NOW + 500 });
  }
});

test('a container without a task is never touched', () => {
  const foreign = container(task('x'));
  const { task: _task, ...config } = foreign.config;
  expect(plan([], [{ ...foreign, config }])).toMatchObject({ steps: [], statuses: [] });
});

test('a newer epoch takes its slot over only when the older container has ended', () => {
  const [old, young] = [task('old'), task('young', { epoch: 2 })];
  const first = plan([old, young], [container(old)]);
  expect(first.steps).toMatchObject([{ kind: 'stopContainer', containerId: 'c-old' }]);
  expect(first.statuses).toMatchObject([
    { taskId: 'old', state: 'running' },
    { taskId: 'young', state: 'preparing', message: expect.stringContaining('c-old') as string },
  ]);
  const second = plan([young], [container(old, { state: 'exited' })]);
  expect(kinds(second).toSorted()).toEqual(['createContainer', 'removeContainer']);
});

test('a task of an epoch older than one seen before does not run', () => {
  const made = plan([task('t')], [], { epochs: new Map([['v/1', 2]]) });
  expect(made.steps).toEqual([]);
  expect(made.settled).toMatchObject([{ state: 'shutdown', message: expect.stringContaining('epoch 2') as string }]);
});

test('a port that is taken rejects; other failures are tried again later and say so', () => {
  const t = task('t');
  const created = container(t, { state: 'created', startedAtMs: undefined });
  const rejected = plan([t], [created], { failures: new Map([['t', failure('port.taken')]]) });
  expect(rejected.settled).toMatchObject([{ state: 'rejected', message: 'text of port.taken' }]);
  const waiting = plan([t], [created], { failures: new Map([['t', failure('internal')]]) });
  expect(waiting).toMatchObject({ steps: [], settled: [], nextAtMs: NOW + 500 });
  expect(waiting.statuses[0]?.message).toContain('text of internal');
  const again = plan([t], [created], { failures: new Map([['t', failure('internal')]]), now: NOW + 500 });
  expect(kinds(again)).toEqual(['startContainer']);
  const setBack = plan([t], [created], { failures: new Map([['t', failure('internal')]]), now: NOW - 3_600_000 });
  expect(kinds(setBack)).toEqual(['startContainer']); // the clock was set back: nothing waits for an hour
  const notFound = plan([t], [created], { failures: new Map([['t', failure('launch.command-not-found')]]) });
  expect(notFound.settled).toMatchObject([{ state: 'failed', exitCode: 127 }]);
  const launches = (attempts: number) =>
    plan([t], [created], { failures: new Map([['t', failure('launch.failed', attempts)]]) }).settled.length;
  expect([launches(4), launches(5)]).toEqual([0, 1]);
});

test('a stop-after task is stopped when its lease has ended for so long, and does not start without one', () => {
  const t = task('t', { onDisconnect: { kind: 'stop-after', afterMs: 60 } });
  expect(plan([t], [container(t)], { leaseExpiresAtMs: NOW })).toMatchObject({ steps: [], nextAtMs: NOW + 60 });
  const ended = { leaseExpiresAtMs: NOW - 60 };
  expect(kinds(plan([t], [container(t)], ended))).toEqual(['stopContainer']);
  expect(plan([t], [container(t, { state: 'exited' })], ended).settled).toMatchObject([{ state: 'shutdown' }]);
  expect(plan([t], [], ended)).toMatchObject({ steps: [], settled: [], statuses: [{ state: 'preparing' }] });
  const kept = task('t', { onDisconnect: { kind: 'keep' } });
  expect(plan([kept], [container(kept)], ended)).toMatchObject({ steps: [], statuses: [{ state: 'running' }] });
});

// ---- convergence in a simulated host

/** A host whose steps take effect in halves, whose processes end and whose containers vanish, as the script says. */
class SimulatedHost {
  readonly containers = new Map<string, ContainerRecord>();
  readonly outcomes = new Map<string, TaskStatus>();
  readonly departed = new Set<string>();
  readonly epochs = new Map<SlotKey, number>();
  assignment: Assignment = { tasks: [] };
  now = NOW;

  assign(next: Assignment): void {
    const stays = new Set(next.tasks.map((one) => one.id));
    for (const { id } of this.assignment.tasks) if (!stays.has(id) && !this.outcomes.has(id)) this.departed.add(id);
    for (const one of next.tasks) {
      this.epochs.set(slotKey(one), Math.max(one.epoch, this.epochs.get(slotKey(one)) ?? 0));
    }
    for (const id of stays) this.departed.delete(id);
    this.assignment = next;
  }

  plan(): Plan {
    const made = planSteps({
      assignment: this.assignment,
      epochs: this.epochs,
      containers: [...this.containers.values()],
      images: new Set(['hello:1']),
      outcomes: this.outcomes,
      departed: this.departed,
      failures: new Map(),
      leaseExpiresAtMs: undefined,
      now: this.now,
    });
    for (const status of made.settled) {
      if (!isTerminal(status.state)) throw new Error(`${status.taskId} settled as ${status.state}`);
      this.outcomes.set(status.taskId, status);
      this.departed.delete(status.taskId);
    }
    for (const taskId of made.forgotten) this.outcomes.delete(taskId);
    return made;
  }

  perform(step: Step): void {
    switch (step.kind) {
      case 'createContainer':
        this.containers.set(`c-${step.task.id}`, container(step.task, { state: 'created', startedAtMs: undefined }));
        return;
      case 'startContainer':
        this.change(step.containerId, { state: 'running', startedAtMs: this.now, exitCode: undefined });
        return;
      case 'stopContainer':
        this.change(step.containerId, { state: 'exited', exitCode: 143 });
        return;
      case 'removeContainer':
        this.containers.delete(step.containerId);
        return;
      default:
        throw step satisfies never;
    }
  }

  change(id: string, change: Partial<ContainerRecord>): void {
    const record = this.containers.get(id);
    if (record !== undefined) this.containers.set(id, { ...record, ...change });
  }

  /** Slots in which more than one container lives. */
  crowdedSlots(): readonly SlotKey[] {
    const living = [...this.containers.values()].filter(({ state }) =>
      ['starting', 'running', 'restarting'].includes(state),
    );
    const slots = living.map(({ config }) => slotKey(config.task ?? { serviceId: '', slot: 0 }));
    return slots.filter((slot, at) => slots.indexOf(slot) !== at);
  }
}

const policies: readonly RestartPolicy[] = [
  { kind: 'no' },
  { kind: 'always' },
  { kind: 'unless-stopped' },
  { kind: 'on-failure', maxRetries: 2 },
];

/** Tasks have an id of their own for each (slot, epoch, variant), as immutable tasks do. */
const assignments = fc
  .uniqueArray(
    fc.record({
      slot: fc.integer({ min: 1, max: 3 }),
      epoch: fc.integer({ min: 1, max: 4 }),
      variant: fc.integer({ min: 0, max: 1 }),
    }),
    { selector: ({ slot, epoch, variant }) => `${slot}-${epoch}-${variant}`, maxLength: 6 },
  )
  .map((list) => ({
    tasks: list.map(({ slot, epoch, variant }) =>
      task(`t${slot}-${epoch}-${variant}`, { slot, epoch }, policies[(slot + epoch) % policies.length]),
    ),
  }));

const happenings = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('assign' as const), assignment: assignments }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('step' as const), pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('exit' as const), pick: fc.nat(20), exitCode: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('vanish' as const), pick: fc.nat(20) }) },
);

type Happening = typeof happenings extends fc.Arbitrary<infer Value> ? Value : never;

function happen(host: SimulatedHost, happening: Happening): void {
  if (happening.kind === 'assign') {
    host.assign(happening.assignment);
    return;
  }
  if (happening.kind === 'step') {
    const { steps } = host.plan();
    const step = steps[happening.pick % Math.max(steps.length, 1)];
    if (step !== undefined) host.perform(step);
    return;
  }
  const ids = [...host.containers.keys()];
  const id = ids[happening.pick % Math.max(ids.length, 1)];
  if (id === undefined) return;
  if (happening.kind === 'vanish') host.containers.delete(id);
  else if (host.containers.get(id)?.state === 'running') {
    host.change(id, { state: 'exited', exitCode: happening.exitCode });
  }
}

function settleDown(host: SimulatedHost, check: () => void): void {
  for (let round = 0; round < 100; round += 1) {
    const { steps } = host.plan();
    if (steps.length === 0) return;
    for (const step of steps) {
      // Of the steps of one slot only the first is done before the next plan, as the loop does it.
      if (steps.find((other) => other.slot === step.slot) === step) host.perform(step);
      check();
    }
  }
  throw new Error('the host does not come to rest');
}

test('whatever happened, a host comes to rest with what is assigned, and no slot ever ran two containers', () => {
  fc.assert(
    fc.property(fc.array(happenings, { maxLength: 60 }), assignments, (script, last) => {
      const host = new SimulatedHost();
      const check = (): void => expect(host.crowdedSlots()).toEqual([]);
      for (const happening of script) {
        happen(host, happening);
        check();
      }
      host.assign(last);
      settleDown(host, check);

      const winners = new Map<SlotKey, AssignedTask>();
      for (const one of last.tasks.toSorted((a, b) => b.epoch - a.epoch || (a.id < b.id ? -1 : 1))) {
        const newest = host.epochs.get(slotKey(one)) ?? 0;
        if (one.epoch >= newest && !winners.has(slotKey(one))) winners.set(slotKey(one), one);
      }
      const wanted = [...winners.values()].filter(({ id }) => !host.outcomes.has(id)).map(({ id }) => `c-${id}`);
      const running = [...host.containers.values()].filter(({ state }) => state === 'running').map(({ id }) => id);
      expect(running.toSorted()).toEqual(wanted.toSorted());
      const left = [...host.containers.values()].filter(
        ({ config }) => !winners.values().some(({ id }) => id === config.task?.id),
      );
      expect(left).toEqual([]);
      const told = new Set(host.plan().statuses.map(({ taskId }) => taskId));
      for (const { id } of last.tasks) expect(told).toContain(id);
      expect(host.departed.size).toBe(0);
    }),
    { numRuns: 2000 },
  );
});

test('a finished task never runs again, whatever happens later', () => {
  fc.assert(
    fc.property(fc.array(happenings, { maxLength: 60 }), (script) => {
      const host = new SimulatedHost();
      const finished = new Set<string>();
      for (const happening of script) {
        happen(host, happening);
        const { statuses, steps } = host.plan();
        const active = statuses.filter(({ state }) => !isTerminal(state)).map(({ taskId }) => taskId);
        for (const step of steps) {
          if (step.kind === 'createContainer') active.push(step.task.id);
          if (step.kind === 'startContainer') active.push(step.taskId);
        }
        expect(active.filter((taskId) => finished.has(taskId))).toEqual([]);
        for (const { taskId, state } of statuses) if (isTerminal(state)) finished.add(taskId);
      }
    }),
    { numRuns: 1000 },
  );
});
