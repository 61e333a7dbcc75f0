import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GuestReport } from './guest.ts';
import { runInMachine, type GuestRun } from './machine.ts';

const MEBIBYTE = 2 ** 20;
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

test('limits of every kind are in the files of the kernel', () => {
  const { files, cpus } = report.all;
  expect(files).toMatchObject({
    'memory.max': `${64 * MEBIBYTE}`,
    'memory.swap.max': `${32 * MEBIBYTE}`,
    'memory.low': `${16 * MEBIBYTE}`,
    'memory.high': `${48 * MEBIBYTE}`,
    'pids.max': '9',
    'cpu.weight': '59',
    'cpu.max': '50000 100000',
    'cpuset.cpus': '1',
    'cpuset.mems': '0',
    'io.max': `254:0 rbps=${MEBIBYTE} wbps=${MEBIBYTE} riops=max wiops=${MEBIBYTE}`,
    'hugetlb.2MB.max': `${4 * MEBIBYTE}`,
  });
  expect([files['io.weight'], files['io.bfq.weight']]).toContain('default 4950');
  expect(cpus).toBe('1');
});

test('swap is used up to its limit, and not where there is none', () => {
  expect(report.swap.usedBytes).toBeGreaterThan(10 * MEBIBYTE);
  expect(report.swap.without.record).toMatchObject({ state: 'exited', oomKilled: true });
});

test('a share of a processor is not exceeded, and an update changes it for the running process', () => {
  const { before, throttled, after } = report.quota;
  expect(before).toBeGreaterThan(0.1);
  expect(before).toBeLessThan(0.3);
  expect(throttled).toBeGreaterThan(5);
  expect(after).toBeGreaterThan(0.45);
  expect(after).toBeLessThan(0.75);
});

test('who has more shares gets more of a processor that two want', () => {
  const { heavy, light } = report.weights;
  expect(heavy / light).toBeGreaterThan(2.5);
  expect(heavy + light).toBeLessThan(1.2);
});

test('an update moves the running process to other processors', () => {
  expect(report.cpuset).toEqual({ before: '0', after: '1' });
});

test('an update lets a container have more processes', () => {
  expect(report.pids.before).not.toBe(0);
  expect(report.pids.after).toBe(0);
});

test('an update of the memory limit holds for what runs', () => {
  expect(report.memory.before).toBe(0);
  expect(report.memory.after).not.toBe(0);
  expect(report.memory.toldOf).toBe(true);
});

test('a disk is read no faster than the limit', () => {
  const { freeMs, limitedMs } = report.disk;
  expect(limitedMs).toBeGreaterThan(1800);
  expect(freeMs).toBeLessThan(limitedMs / 2);
});

test('what the kernel refuses of an update leaves all as it was', () => {
  expect(report.refused).toMatchObject({ code: 'cgroup.write-failed', cpus: '1', file: '1', weight: '100' });
});

test('an update that a crash cut off is carried on by the next runner', () => {
  expect(report.recovered).toEqual({ 'pids.max': '11', 'cpu.max': 'max 100000' });
});
