import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TaskStatus } from '#shared/model/task.ts';
import { openRunnerDatabase } from '../database.ts';
import { MAX_UNACKED_BATCHES, Outbox, type StatusBatch } from './outbox.ts';

function status(task: number, restarts = 0): TaskStatus {
  return {
    taskId: String(task).padStart(20, '0'),
    state: 'running',
    health: 'none',
    restarts,
    message: '',
    observedAtMs: 0,
  };
}

function takeAll(outbox: Outbox): StatusBatch[] {
  const batches: StatusBatch[] = [];
  for (let batch = outbox.takeNext(); batch !== undefined; batch = outbox.takeNext()) batches.push(batch);
  return batches;
}

test('batches count up from 1, are kept until acknowledged and sent again on the next connection', () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'berth-outbox-'));
  const database = openRunnerDatabase(join(directory.path, 'runner.db'));
  const outbox = new Outbox(database);
  outbox.resume(0);
  outbox.add([status(1)]);
  expect(takeAll(outbox).map((batch) => batch.seq)).toEqual([1]);
  outbox.add([status(1, 1)]);
  outbox.add([status(2)]);
  expect(takeAll(outbox)).toEqual([{ seq: 2, tasks: [status(1, 1), status(2)] }]);
  expect(takeAll(outbox)).toEqual([]);
  outbox.acknowledge(1);
  expect(new Outbox(database).resume(1)).toEqual({ lost: false });
  const again = new Outbox(database);
  again.resume(1);
  again.add([status(3)]);
  expect(takeAll(again).map((batch) => [batch.seq, batch.tasks.length])).toEqual([
    [2, 2],
    [3, 1],
  ]);
  database.close();
});

test('while the control plane is away, only the newest state of each task is kept', () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'berth-outbox-'));
  const database = openRunnerDatabase(join(directory.path, 'runner.db'));
  const outbox = new Outbox(database);
  for (let round = 0; round < 50; round += 1) outbox.add([status(1, round), status(2, round)]);
  expect(database.prepare('select count(*) as n from outbox').get()?.['n']).toBe(1);
  outbox.resume(0);
  expect(takeAll(outbox)).toEqual([{ seq: 1, tasks: [status(1, 49), status(2, 49)] }]);
  outbox.add(Array.from({ length: 600 }, (_, index) => status(index)));
  expect(takeAll(outbox).map((batch) => batch.tasks.length)).toEqual([250, 250, 100]);
  database.close();
});

test('a control plane that has forgotten, or knows more than this host, is told everything under fresh numbers', () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'berth-outbox-'));
  const database = openRunnerDatabase(join(directory.path, 'runner.db'));
  const outbox = new Outbox(database);
  expect(outbox.resume(7)).toEqual({ lost: true });
  outbox.add([status(1)]);
  expect(takeAll(outbox).map((batch) => batch.seq)).toEqual([8]);
  outbox.acknowledge(8);
  expect(outbox.resume(2)).toEqual({ lost: true });
  outbox.add([status(1)]);
  expect(takeAll(outbox).map((batch) => batch.seq)).toEqual([3]);
  database.close();
});

test('whatever is cut and restarted, the control plane ends with the newest state of each task, and without gaps', () => {
  const action = fc.oneof(
    fc.record({ what: fc.constant('change' as const), task: fc.nat(4) }),
    fc.record({ what: fc.constantFrom('send', 'receive', 'cut', 'restart', 'ack') }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      using directory = mkdtempDisposableSync(join(tmpdir(), 'berth-outbox-'));
      const database = openRunnerDatabase(join(directory.path, 'runner.db'));
      let outbox = new Outbox(database);
      const truth = new Map<string, TaskStatus>();
      const stored = new Map<string, TaskStatus>();
      const flying: { seq: number; tasks: readonly TaskStatus[] }[] = [];
      let acked = 0;
      const receive = () => {
        const batch = flying.shift();
        if (batch === undefined || batch.seq <= acked) return;
        expect(batch.seq).toBe(acked + 1);
        acked = batch.seq;
        for (const task of batch.tasks) stored.set(task.taskId, task);
      };
      const connect = () => {
        flying.length = 0;
        expect(outbox.resume(acked)).toEqual({ lost: false });
      };
      connect();
      for (const [index, action] of actions.entries()) {
        if (action.what === 'change') {
          const changed = status(action.task, index);
          truth.set(changed.taskId, changed);
          outbox.add([changed]);
        } else if (action.what === 'send') flying.push(...takeAll(outbox));
        else if (action.what === 'receive') receive();
        else if (action.what === 'ack') outbox.acknowledge(acked);
        else {
          if (action.what === 'restart') outbox = new Outbox(database);
          connect();
        }
        expect(Number(database.prepare('select count(*) as n from outbox').get()?.['n'])).toBeLessThanOrEqual(
          MAX_UNACKED_BATCHES + 1,
        );
      }
      for (let round = 0; round < 10; round += 1) {
        flying.push(...takeAll(outbox));
        while (flying.length > 0) receive();
        outbox.acknowledge(acked);
      }
      expect(stored).toEqual(truth);
      database.close();
    }),
    { numRuns: 60 },
  );
});
