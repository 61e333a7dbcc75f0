import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TaskState, TaskStatus } from '#shared/model/task.ts';
import { StatusFlow } from './status-flow.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const status = (taskId: string, state: TaskState): TaskStatus =>
  ({ taskId, state, health: 'none', restarts: 0, message: '', observedAtMs: 0 }) as TaskStatus;

function gathered(): { flow: StatusFlow; told: string[][] } {
  const told: string[][] = [];
  const flow = new StatusFlow((changed) => told.push(changed.map(({ taskId, state }) => `${taskId} ${state}`)));
  return { flow, told };
}

test('a state on its way waits for the next one, which is told at once and takes it along', () => {
  const { flow, told } = gathered();
  flow.add([status('a', 'preparing')]);
  flow.add([status('a', 'starting')]);
  expect(told).toEqual([]);
  flow.add([status('a', 'running')]);
  expect(told).toEqual([['a preparing', 'a starting', 'a running']]);
  vi.advanceTimersByTime(1000);
  expect(told).toHaveLength(1);
});

test('a state on its way that lasts is told all the same', () => {
  const { flow, told } = gathered();
  flow.add([status('a', 'preparing')]);
  vi.advanceTimersByTime(40);
  flow.add([status('b', 'preparing')]);
  vi.advanceTimersByTime(10);
  expect(told).toEqual([['a preparing', 'b preparing']]);
});

test('of a burst the first is told at once, the rest together', () => {
  const { flow, told } = gathered();
  for (const id of ['a', 'b', 'c']) flow.add([status(id, 'running')]);
  expect(told).toEqual([['a running']]);
  vi.advanceTimersByTime(20);
  expect(told).toEqual([['a running'], ['b running', 'c running']]);
});

test('disposing tells what waits', () => {
  const { flow, told } = gathered();
  flow.add([status('a', 'preparing')]);
  flow[Symbol.dispose]();
  expect(told).toEqual([['a preparing']]);
});
