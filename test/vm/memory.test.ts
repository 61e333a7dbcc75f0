import { expect, inject, test } from 'vitest';

const MEBIBYTE = 2 ** 20;
const { memory } = inject('guest');

test('a container without swap is killed at its memory limit, and reported as killed for memory', () => {
  const { record, reachedMib, swappedMib } = memory.withoutSwap;
  expect(record).toMatchObject({ state: 'exited', oomKilled: true });
  // The shell outlives its child and tells; when the kernel kills the shell itself, that is exit code 137.
  expect([3, 137]).toContain(record.exitCode);
  expect(reachedMib).toBeGreaterThan(40);
  expect(reachedMib).toBeLessThanOrEqual(64);
  expect(swappedMib).toBe(0);
});

test('with swap it is killed when that is used up, too', () => {
  const { record, reachedMib, swappedMib } = memory.withSwap;
  expect(record).toMatchObject({ state: 'exited', oomKilled: true });
  expect(reachedMib).toBeGreaterThan(72);
  expect(reachedMib).toBeLessThanOrEqual(96);
  expect(swappedMib).toBeGreaterThan(16);
  expect(swappedMib).toBeLessThanOrEqual(32);
});

test('one under its limit ends by itself', () => {
  const { record, log } = memory.underLimit;
  expect(record).toMatchObject({ state: 'exited', exitCode: 0, oomKilled: false });
  expect(log).toBe('fine\n');
});

test('one that is killed by hand is told apart from one killed for memory', () => {
  expect(memory.limits).toEqual({ 'memory.max': `${64 * MEBIBYTE}`, 'memory.swap.max': '0' });
  expect(memory.killed.record).toMatchObject({ state: 'exited', exitCode: 137, oomKilled: false });
});

test('a process that holds more than a lowered limit is killed, and reported so', () => {
  const { record, log } = memory.lowered;
  expect(log).toBe('held\n');
  expect(record).toMatchObject({ state: 'exited', exitCode: 137, oomKilled: true });
});

test('who has a reservation keeps its memory when it is taken from all, whatever cgroups are above it', () => {
  const { asked, updated } = memory.reservation;
  for (const { kept, other } of [asked, updated]) {
    expect(other).toBeGreaterThan(4 * MEBIBYTE);
    expect(kept).toBeLessThan(other / 4);
  }
});

test('the runner’s subtree is promised what its containers are', () => {
  expect(memory.reservation.subtree).toEqual([`${64 * MEBIBYTE}`, '0']);
});
