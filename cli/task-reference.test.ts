import { expect, test } from 'vitest';
import type { TaskView } from '#shared/api/stacks.ts';
import { findTask, findTasks, taskName } from './task-reference.ts';

function task(id: string, name: string, more: Partial<TaskView> = {}): TaskView {
  const [, stack = '', service = '', slot = ''] = /^(.+)\/(.+)\.(\d+)$/.exec(name) ?? [];
  return {
    id: id.padEnd(20, '0'),
    stack,
    service,
    slot: Number(slot),
    state: 'running',
    health: 'none',
    desired: true,
    image: 'hello:1',
    restarts: 0,
    message: '',
    createdAtMs: 1,
    ...more,
  };
}

const tasks = [
  task('abc1', 'hello/web.1'),
  task('abd2', 'hello/web.2'),
  task('xyz3', 'hello/worker.1'),
  task('qrs4', 'other/worker.1'),
];

test('a task is found by id, by the beginning of its id and by its name', () => {
  for (const reference of ['abc10000000000000000', 'abc', 'hello/web.1', 'web.1']) {
    expect(taskName(findTask(reference, tasks))).toBe('hello/web.1');
  }
});

test('an ambiguous reference names the candidates', () => {
  expect(() => findTask('ab', tasks)).toThrow('"ab" means 2 tasks');
  expect(() => findTask('worker.1', tasks)).toThrow('"worker.1" means 2 tasks');
  expect(() => findTasks('worker', tasks)).toThrow('"worker" is a service of 2 stacks');
});

test('what is not there is not found', () => {
  expect(() => findTask('nothing', tasks)).toThrow('there is no task "nothing"');
  expect(() => findTask('', tasks)).toThrow('there is no task ""');
});

test('of several tasks of a slot the live one counts, else the newest', () => {
  const old = task('aaa1', 'hello/web.1', { state: 'failed', desired: false, createdAtMs: 5 });
  const older = task('aaa2', 'hello/web.1', { state: 'failed', desired: false, createdAtMs: 4 });
  const live = task('aaa3', 'hello/web.1', { createdAtMs: 3 });
  expect(findTask('web.1', [older, old]).id).toBe(old.id);
  expect(findTask('web.1', [older, old, live]).id).toBe(live.id);
  expect(findTask(old.id, [older, old, live]).id).toBe(old.id);
});

test('a service means all of its slots, in order', () => {
  expect(findTasks('web', tasks.toReversed()).map(taskName)).toEqual(['hello/web.1', 'hello/web.2']);
  expect(findTasks('hello/worker', tasks).map(taskName)).toEqual(['hello/worker.1']);
  expect(findTasks('web.2', tasks).map(taskName)).toEqual(['hello/web.2']);
});
