import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GuestReport } from './guest.ts';
import { runInMachine, type GuestRun } from './machine.ts';

const root = resolve(import.meta.dirname, '../..');
let run: GuestRun | undefined;
let report: GuestReport;

beforeAll(async () => {
  const node = resolve(root, 'node_modules/.bin/node');
  const program = resolve(import.meta.dirname, 'guest.ts');
  const script = `cd ${root} && ${node} --disable-warning=ExperimentalWarning ${program}`;
  // Under emulation a program of the guest has been seen to die by SIGSEGV on a busy host: a second boot decides. What
  // fails for a reason of ours fails in both.
  const consoles: string[] = [];
  while (consoles.length < 2) {
    run = await runInMachine(script, { timeoutMs: 400_000 });
    const text = await run.read('report.json');
    if (text !== undefined) {
      report = JSON.parse(text) as GuestReport;
      return;
    }
    consoles.push(run.console);
    await run[Symbol.asyncDispose]();
  }
  throw new Error(`the guest wrote no report; its consoles:\n${consoles.join('\n----\n')}`);
});

afterAll(() => run?.[Symbol.asyncDispose]());

test('all controllers are in force for the runner', () => {
  expect(report.controllers).toEqual(expect.arrayContaining(['cpu', 'io', 'memory', 'pids']));
});

test('a container over its memory limit is killed, and reported as killed for memory', () => {
  const { limits, record, log } = report.overMemory;
  expect(limits['memory.max']).toBe(String(32 * 2 ** 20));
  expect(record).toMatchObject({ state: 'exited', oomKilled: true });
  // The shell outlives its child and tells; when the kernel kills the shell itself, that is exit code 137.
  expect(record.exitCode === 137 || log.includes('Killed')).toBe(true);
});

test('one under its limit ends by itself', () => {
  const { record, log } = report.underMemory;
  expect(record).toMatchObject({ state: 'exited', exitCode: 0, oomKilled: false });
  expect(log).toBe('fine\n');
});

test('one that is killed by hand is told apart from one killed for memory', () => {
  expect(report.killed.record).toMatchObject({ state: 'exited', exitCode: 137, oomKilled: false });
});

test('a container cannot have more processes than its limit', () => {
  const { limits, record, log } = report.overPids;
  expect(limits['pids.max']).toBe('8');
  expect(log).toContain("can't fork");
  expect(log).not.toContain('not reached');
  expect(record).toMatchObject({ state: 'exited' });
  expect(record.exitCode).not.toBe(0);
});
