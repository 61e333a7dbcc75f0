import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { plainRecord } from '../../test/support/plain-container.ts';
import type { ContainerListener } from '../container/state.ts';
import { StatsReaders } from './stats-readers.ts';

const running = plainRecord({ pid: process.pid });

let directory: string;
let tell: ContainerListener;
let readers: StatsReaders;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-stats-'));
  mkdirSync(join(directory, running.id));
  writeFileSync(join(directory, running.id, 'cpu.stat'), 'usage_usec 1\n');
  writeFileSync(join(directory, running.id, 'cgroup.procs'), '4\n5\n');
  const onChange = (listener: ContainerListener): Disposable => {
    tell = listener;
    return { [Symbol.dispose]: () => undefined };
  };
  readers = new StatsReaders({ onChange }, directory, () => 7);
});
afterEach(() => {
  readers[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

/** Files below the directory that this process has open. */
function open(): string[] {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the descriptor of the listing itself
    }
  });
  return targets.filter((target) => target.startsWith(directory)).map((target) => target.slice(directory.length + 66));
}

test('descriptors are kept from question to question, and closed with the container', () => {
  expect(readers.sample(running)).toMatchObject({
    cpu: 'usage_usec 1\n',
    memory: '',
    pids: '2',
    atMs: 7,
    running: true,
  });
  writeFileSync(join(directory, running.id, 'cpu.stat'), 'usage_usec 22\n');
  expect(readers.sample(running).cpu).toBe('usage_usec 22\n');
  expect(open().toSorted()).toEqual(['cgroup.procs', 'cpu.stat']);
  tell(running.id, { ...running, health: 'healthy' });
  expect(open()).toHaveLength(2);
  tell(running.id, { ...running, state: 'exited', pid: 0 });
  expect(open()).toEqual([]);
  expect(readers.sample({ ...running, state: 'exited', pid: 0 })).toMatchObject({ cpu: '', running: false });
});

test('the next run of a container is read anew', () => {
  readers.sample(running);
  expect(readers.sample({ ...running, pid: process.ppid }).running).toBe(true);
  expect(open()).toHaveLength(2);
  tell(running.id, undefined);
  expect(open()).toEqual([]);
});
