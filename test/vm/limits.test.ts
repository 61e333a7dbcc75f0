import { expect, inject, test } from 'vitest';

const MEBIBYTE = 2 ** 20;
const { controllers, limits } = inject('guest');

test('all controllers are in force for the runner', () => {
  expect(controllers).toEqual(expect.arrayContaining(['cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids']));
});

test('limits of every kind are in the files of the kernel', () => {
  const { files, cpus } = limits.all;
  expect(files).toEqual({
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
    'io.weight': 'default 4950',
    'io.bfq.weight': 'default 500',
    'hugetlb.2MB.max': `${4 * MEBIBYTE}`,
    'hugetlb.2MB.rsvd.max': `${4 * MEBIBYTE}`,
  });
  expect(cpus).toBe('1');
});

test('a container cannot have more processes than its limit', () => {
  const { limit, record, log } = limits.overPids;
  expect(limit).toBe('8');
  expect(log).toContain("can't fork");
  expect(log).not.toContain('not reached');
  expect(record).toMatchObject({ state: 'exited' });
  expect(record.exitCode).not.toBe(0);
});

test('an update lets a container have more processes', () => {
  expect(limits.pids.before).not.toBe(0);
  expect(limits.pids.after).toBe(0);
});

test('an update of memory, and of swap, holds for what runs', () => {
  const { before, after, toldOf, withSwap } = limits.memory;
  expect(before).toBe(0);
  expect(after).not.toBe(0);
  expect(toldOf).toBe(true);
  expect(withSwap).toBe(0);
});

test('what the kernel refuses of an update leaves all as it was', () => {
  const { code, cpus, before, after } = limits.refused;
  expect(code).toBe('cgroup.write-failed');
  expect(cpus).toBe('1');
  expect(after).toEqual(before);
});

test('an update that a crash cut off is carried on by the next runner', () => {
  expect(limits.recovered).toEqual({
    files: { 'pids.max': '11', 'cpu.max': 'max 100000' },
    subtree: `${16 * MEBIBYTE}`,
  });
});
