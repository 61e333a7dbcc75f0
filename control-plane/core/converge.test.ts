import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTerminal, type TaskState } from '#shared/model/task.ts';
import type { ContainerSpec, OnDisconnect } from '#shared/model/service.ts';
import { backoffMs } from './backoff.ts';
import type { ClusterState, HostRecord, ServiceRecord, TaskRecord } from './cluster-state.ts';
import { converge } from './converge.ts';
import { LEASE_MS, STOP_MS } from './lease.ts';

const NOW_MS = 10_000_000;

function container(image = 'hello:1', hostPort?: number, restart: ContainerSpec['restart'] = { kind: 'always' }) {
  const ports = hostPort === undefined ? [] : [{ protocol: 'tcp' as const, hostPort, containerPort: 80 }];
  return { image, environment: {}, labels: {}, ports, restart } satisfies ContainerSpec;
}

function host(name: string, change: Partial<HostRecord> = {}): HostRecord {
  const references = ['docker.io/library/hello:1', 'docker.io/library/hello:2'];
  return {
    id: name,
    name,
    state: 'ready',
    changedAtMs: 0,
    removed: false,
    images: [{ id: 'i', references }],
    ...change,
  };
}

function service(name: string, replicas: number, spec = container(), onDisconnect: OnDisconnect = { kind: 'keep' }) {
  return { id: name, stack: 's', spec: { name, replicas, container: spec, onDisconnect } } satisfies ServiceRecord;
}

function task(of: ServiceRecord, slot: number, hostId: string, change: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id: `${of.id}.${slot}.${change.epoch ?? 1}`,
    stack: of.stack,
    service: of.spec.name,
    serviceId: of.id,
    slot,
    epoch: 1,
    attempt: 1,
    hostId,
    container: of.spec.container,
    onDisconnect: of.spec.onDisconnect,
    state: 'running',
    health: 'none',
    desired: true,
    ...(change.state !== undefined && isTerminal(change.state) ? { endedAtMs: NOW_MS } : {}),
    ...change,
  };
}

function state(change: Partial<ClusterState>): ClusterState {
  const tasks = change.tasks ?? [];
  const slots = tasks.map(({ serviceId, slot, epoch }) => ({ serviceId, slot, epoch }));
  return { hosts: [], services: [], tasks, slots, nowMs: NOW_MS, ...change };
}

/** The state after a convergence was stored. */
function store(before: ClusterState): ClusterState {
  const { changes } = converge(before);
  const tasks = new Map(before.tasks.map((one) => [one.id, one]));
  const slots = new Map(before.slots.map((one) => [`${one.serviceId}.${one.slot}`, one]));
  const hosts = new Map(before.hosts.map((one) => [one.id, one]));
  for (const change of changes) {
    if (change.kind === 'host-down') hosts.set(change.host.id, { ...change.host, state: 'down' });
    else if (change.kind === 'task-created') {
      const { serviceId, slot, epoch } = change.task;
      const id = `${serviceId}.${slot}.${epoch}`;
      tasks.set(id, { ...change.task, id, state: 'assigned', health: 'none', desired: true });
      slots.set(`${serviceId}.${slot}`, { serviceId, slot, epoch });
    } else {
      const old = tasks.get(change.task.id) ?? change.task;
      const orphaned = change.kind === 'task-orphaned' ? { state: 'orphaned' as const, endedAtMs: before.nowMs } : {};
      if (change.kind === 'task-amended') tasks.set(old.id, { ...old, onDisconnect: change.onDisconnect });
      else tasks.set(old.id, { ...old, ...orphaned, desired: false });
    }
  }
  const live = [...tasks.values()].filter((one) => one.desired || !isTerminal(one.state));
  return { ...before, hosts: [...hosts.values()], tasks: live, slots: [...slots.values()] };
}

/** What hosts that do all they are told would have reported by now. */
function obey(before: ClusterState): ClusterState {
  const ready = new Set(before.hosts.filter((one) => one.state === 'ready').map((one) => one.id));
  const tasks = before.tasks.flatMap((one): TaskRecord[] => {
    if (!ready.has(one.hostId) || isTerminal(one.state)) return [one];
    return one.desired ? [{ ...one, state: 'running', health: 'none', runningAtMs: before.nowMs }] : [];
  });
  return { ...before, tasks };
}

const kinds = (of: ClusterState) => converge(of).changes.map((change) => change.kind);

describe('slots', () => {
  test('an empty slot is filled; a full one is left alone', () => {
    const web = service('web', 2);
    const result = converge(state({ hosts: [host('a')], services: [web], tasks: [task(web, 1, 'a')] }));
    expect(result.changes).toMatchObject([
      { kind: 'task-created', task: { slot: 2, epoch: 1, attempt: 1, hostId: 'a' } },
    ]);
    expect(result.nextAtMs).toBeUndefined();
  });

  test('a slot without a host that qualifies waits, with the reason', () => {
    const services = [service('web', 1, container('hello:3'))];
    expect(converge(state({ services })).pending).toMatchObject([{ slot: 1, reason: 'no host is ready' }]);
    expect(converge(state({ services, hosts: [host('a')] })).pending).toMatchObject([
      { reason: 'image hello:3 is on none of the 1 ready hosts' },
    ]);
  });

  test('tasks of removed services and of the highest slots are retired', () => {
    const web = service('web', 1);
    const gone = service('gone', 1);
    const tasks = [task(web, 1, 'a'), task(web, 2, 'a'), task(gone, 1, 'a')];
    const { changes } = converge(state({ hosts: [host('a')], services: [web], tasks }));
    expect(changes).toMatchObject([
      { kind: 'task-retired', task: { slot: 2 }, reason: 'service web was scaled down to 1' },
      { kind: 'task-retired', task: { service: 'gone' }, reason: 'service gone was removed' },
    ]);
  });

  test('a slot waits until its older task has stopped', () => {
    const web = service('web', 1);
    const tasks = [task(web, 1, 'a', { desired: false })];
    expect(kinds(state({ hosts: [host('a')], services: [web], tasks }))).toEqual([]);
  });

  test.each([
    ['always', 'complete', true],
    ['always', 'failed', true],
    ['no', 'complete', false],
    ['no', 'failed', false],
    ['on-failure', 'complete', false],
    ['on-failure', 'failed', true],
    ['no', 'rejected', true],
    ['no', 'shutdown', true],
  ] as const)('restart %s, ended as %s: followed by another task is %s', (kind, ended, isFollowed) => {
    const web = service('web', 1, container('hello:1', undefined, { kind }));
    const tasks = [task(web, 1, 'a', { state: ended })];
    const at = (nowMs: number) => state({ hosts: [host('a')], services: [web], tasks, nowMs });
    expect(kinds(at(NOW_MS + 999))).toEqual([]);
    expect(converge(at(NOW_MS)).nextAtMs).toBe(isFollowed ? NOW_MS + 1000 : undefined);
    expect(kinds(at(NOW_MS + 1000))).toEqual(isFollowed ? ['task-retired', 'task-created'] : []);
  });

  test('the delay doubles up to a minute, and a task that ran for long starts it anew', () => {
    expect([1, 2, 3, 6, 7, 100].map(backoffMs)).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000]);
    const web = service('web', 1);
    const ended = { state: 'failed', attempt: 7, endedAtMs: NOW_MS - 60_000 } as const;
    const next = (change: Partial<TaskRecord>) =>
      converge(state({ hosts: [host('a')], services: [web], tasks: [task(web, 1, 'a', { ...ended, ...change })] }))
        .changes[1];
    expect(next({})).toMatchObject({ task: { attempt: 8 } });
    expect(next({ runningAtMs: NOW_MS - 120_000 })).toMatchObject({ task: { attempt: 1 } });
  });

  test('a host that refused a slot is tried last', () => {
    const web = service('web', 1);
    const tasks = [task(web, 1, 'a', { state: 'rejected', endedAtMs: 0 })];
    const { changes } = converge(state({ hosts: [host('a'), host('b')], services: [web], tasks }));
    expect(changes[1]).toMatchObject({ task: { hostId: 'b', epoch: 2, attempt: 2 } });
  });
});

describe('a lost host', () => {
  const lost = (policy: OnDisconnect, sinceMs: number, change: Partial<HostRecord> = {}) => {
    const web = service('web', 1, container(), policy);
    const hosts = [host('a', { state: 'away', changedAtMs: NOW_MS - sinceMs, ...change }), host('b')];
    return state({ hosts, services: [web], tasks: [task(web, 1, 'a')] });
  };

  test('is away until its lease ends, then down', () => {
    expect(converge(lost({ kind: 'keep' }, LEASE_MS - 1))).toMatchObject({ changes: [], nextAtMs: NOW_MS + 1 });
    expect(kinds(lost({ kind: 'keep' }, LEASE_MS))).toEqual(['host-down']);
  });

  test('keep: its tasks wait for it', () => {
    expect(kinds(lost({ kind: 'keep' }, 1e9, { state: 'down' }))).toEqual([]);
  });

  test('replace-after: a new task elsewhere, under the next epoch, after the time but not before the lease ends', () => {
    const policy = { kind: 'replace-after', afterMs: 60_000 } as const;
    expect(converge(lost(policy, 59_999, { state: 'down' }))).toMatchObject({ changes: [], nextAtMs: NOW_MS + 1 });
    expect(converge(lost(policy, 60_000, { state: 'down' })).changes).toMatchObject([
      { kind: 'task-orphaned', reason: 'host a is lost (on_disconnect: replace-after)' },
      { kind: 'task-created', task: { hostId: 'b', epoch: 2 } },
    ]);
    expect(kinds(lost({ kind: 'replace-after', afterMs: 0 }, LEASE_MS - 1))).toEqual([]);
  });

  test('stop-after: its time and that of a stop count from the end of the lease, also when the host was removed', () => {
    const policy = { kind: 'stop-after', afterMs: 60_000 } as const;
    for (const removed of [true, false]) {
      expect(kinds(lost(policy, LEASE_MS + STOP_MS + 59_999, { state: 'down', removed }))).toEqual([]);
      expect(kinds(lost(policy, LEASE_MS + STOP_MS + 60_000, { state: 'down', removed }))).toEqual([
        'task-orphaned',
        'task-created',
      ]);
    }
  });

  test('a removed host is replaced at once', () => {
    const expected = ['task-orphaned', 'task-created'];
    expect(kinds(lost({ kind: 'keep' }, 0, { state: 'down', removed: true }))).toEqual(expected);
    expect(kinds(lost({ kind: 'replace-after', afterMs: 60_000 }, 0, { state: 'down', removed: true }))).toEqual(
      expected,
    );
  });
});

describe('an update', () => {
  const old = service('web', 3);
  const next = service('web', 3, container('hello:2'));
  const tasks = [1, 2, 3].map((slot) => task(old, slot, 'a'));

  test('replaces one task at a time and waits until the new one runs and is healthy', () => {
    const at = (first: Partial<TaskRecord>) =>
      kinds(state({ hosts: [host('a')], services: [next], tasks: [task(next, 1, 'a', first), ...tasks.slice(1)] }));
    expect(converge(state({ hosts: [host('a')], services: [next], tasks })).changes).toMatchObject([
      { kind: 'task-retired', task: { slot: 1 } },
    ]);
    expect(at({ state: 'starting' })).toEqual([]);
    expect(at({ health: 'starting' })).toEqual([]);
    expect(at({ health: 'unhealthy' })).toEqual([]);
    expect(at({ health: 'healthy' })).toEqual(['task-retired']);
  });

  test('stops nothing when no host could take the new container', () => {
    const services = [service('web', 3, container('hello:9'))];
    const result = converge(state({ hosts: [host('a')], services, tasks }));
    expect(result.changes).toEqual([]);
    expect(result.pending).toMatchObject([
      { slot: 1, reason: 'the update waits, its old task runs on: image hello:9 is on none of the 1 ready hosts' },
    ]);
  });

  test('leaves tasks on hosts that are not connected, and goes on with the others', () => {
    const hosts = [host('a', { state: 'down' }), host('b')];
    const spread = [task(old, 1, 'a'), task(old, 2, 'b'), task(old, 3, 'b')];
    expect(converge(state({ hosts, services: [next], tasks: spread })).changes).toMatchObject([
      { kind: 'task-retired', task: { slot: 2 } },
    ]);
  });

  test('a broken revision is held after its first task, and the next revision begins with that one', () => {
    const broken = [task(next, 1, 'a', { state: 'failed' }), ...tasks.slice(1)];
    expect(kinds(state({ hosts: [host('a')], services: [next], tasks: broken }))).toEqual([]);
    const fixed = service('web', 3, container('hello:2', 81));
    expect(converge(state({ hosts: [host('a')], services: [fixed], tasks: broken })).changes).toMatchObject([
      { kind: 'task-retired', task: { slot: 1 } },
      { kind: 'task-created', task: { slot: 1, attempt: 1 } },
    ]);
  });

  test('on_disconnect alone needs no new container', () => {
    const services = [service('web', 3, container(), { kind: 'stop-after', afterMs: 1 })];
    expect(kinds(state({ hosts: [host('a')], services, tasks }))).toEqual(Array(3).fill('task-amended'));
  });
});

const names = ['a', 'b', 'c'];
const states: readonly TaskState[] = ['assigned', 'preparing', 'starting', 'running', 'complete', 'failed', 'rejected'];
const policy: fc.Arbitrary<OnDisconnect> = fc.oneof(
  fc.constant({ kind: 'keep' as const }),
  fc.record({ kind: fc.constant('replace-after' as const), afterMs: fc.nat(90_000) }),
  fc.record({ kind: fc.constant('stop-after' as const), afterMs: fc.nat(90_000) }),
);
const spec = fc
  .record({
    image: fc.constantFrom('hello:1', 'hello:2', 'hello:3'),
    port: fc.constantFrom(undefined, 80, 81),
    restart: fc.constantFrom('always' as const, 'no' as const),
  })
  .map(({ image, port, restart }) => container(image, port, { kind: restart }));
const hosts = fc.tuple(
  ...names.map((name) =>
    fc
      .record({
        state: fc.constantFrom('joined' as const, 'ready' as const, 'away' as const, 'down' as const),
        changedAtMs: fc.integer({ min: NOW_MS - 200_000, max: NOW_MS }),
        removed: fc.boolean(),
      })
      .map((change) => host(name, change.removed ? { ...change, state: 'down' } : change)),
  ),
);
const services = fc.tuple(
  ...['x', 'y'].map((name) =>
    fc.record({ replicas: fc.nat(4), spec, policy }).map((one) => service(name, one.replicas, one.spec, one.policy)),
  ),
);
const tasks = fc
  .uniqueArray(
    fc.record({
      serviceId: fc.constantFrom('x', 'y', 'z'),
      slot: fc.integer({ min: 1, max: 5 }),
      hostId: fc.constantFrom(...names),
      spec,
      policy,
      state: fc.constantFrom(...states),
      desired: fc.boolean(),
      attempt: fc.integer({ min: 1, max: 9 }),
      endedAtMs: fc.integer({ min: NOW_MS - 100_000, max: NOW_MS }),
    }),
    { selector: (one) => `${one.serviceId}.${one.slot}`, maxLength: 10 },
  )
  .map((all) =>
    all.map((one) =>
      task(service(one.serviceId, 1, one.spec, one.policy), one.slot, one.hostId, {
        state: one.state,
        desired: one.desired || isTerminal(one.state),
        attempt: one.attempt,
        ...(isTerminal(one.state) ? { endedAtMs: one.endedAtMs } : {}),
      }),
    ),
  );
const clusters = fc.record({ hosts, services, tasks }).map((parts) => state(parts));

describe('whatever the state', () => {
  test('a second run changes nothing', () => {
    fc.assert(
      fc.property(clusters, (before) => {
        expect(converge(store(before)).changes).toEqual([]);
      }),
    );
  });

  test('a slot has one desired task at most, and none is made while an older one may run', () => {
    fc.assert(
      fc.property(clusters, (before) => {
        const after = store(before);
        const bySlot = Map.groupBy(after.tasks, (one) => `${one.serviceId}.${one.slot}`);
        for (const [, slot] of bySlot) {
          expect(slot.filter((one) => one.desired).length).toBeLessThanOrEqual(1);
          expect(slot.filter((one) => !isTerminal(one.state)).length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test('what is made goes to a ready host with the image and the ports free, under a new epoch', () => {
    fc.assert(
      fc.property(clusters, (before) => {
        const after = store(before);
        for (const change of converge(before).changes) {
          if (change.kind !== 'task-created') continue;
          const { task: made } = change;
          const on = before.hosts.find((one) => one.id === made.hostId);
          expect(on).toMatchObject({ state: 'ready', removed: false });
          expect(made.container.image).not.toBe('hello:3');
          const older = before.tasks.filter((one) => one.serviceId === made.serviceId && one.slot === made.slot);
          expect(older.every((one) => one.epoch < made.epoch)).toBe(true);
          const ports = made.container.ports.map((port) => port.hostPort);
          const others = after.tasks.filter(
            (one) => one.hostId === made.hostId && one.serviceId !== made.serviceId && !isTerminal(one.state),
          );
          expect(others.some((one) => one.container.ports.some((port) => ports.includes(port.hostPort)))).toBe(false);
        }
      }),
    );
  });

  test('one update at a time: at most one running task of a service that stays is retired in a run', () => {
    fc.assert(
      fc.property(clusters, (before) => {
        for (const { id, spec } of before.services) {
          const retired = converge(before).changes.filter(
            (change) =>
              change.kind === 'task-retired' &&
              change.task.serviceId === id &&
              change.task.slot <= spec.replicas &&
              !isTerminal(change.task.state),
          );
          expect(retired.length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test('with hosts that do what they are told, every slot comes to run what its service says', () => {
    fc.assert(
      fc.property(clusters, (before) => {
        let now: ClusterState = {
          ...before,
          hosts: names.map((name) => host(name)),
          services: before.services.map((one, index) => {
            const steady = container(one.spec.container.image === 'hello:1' ? 'hello:1' : 'hello:2', 80 + index);
            return { ...one, spec: { ...one.spec, container: steady } };
          }),
        };
        for (let round = 0; round < 40; round += 1) {
          now = obey(store(now));
          now = { ...now, nowMs: now.nowMs + 60_000 };
        }
        for (const { id, spec } of now.services) {
          const mine = now.tasks.filter((one) => one.serviceId === id);
          expect(mine.map((one) => one.slot).toSorted((a, b) => a - b)).toEqual(
            Array.from({ length: spec.replicas }, (_, index) => index + 1),
          );
          for (const one of mine) {
            expect(one).toMatchObject({ state: 'running', desired: true, container: spec.container });
            expect(one.onDisconnect).toEqual(spec.onDisconnect);
          }
        }
        expect(now.tasks.every((one) => one.serviceId !== 'z')).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
