import { describe, expect, inject, test } from 'vitest';

const MEBIBYTE = 2 ** 20;
const { runtimes } = inject('guest');

test('runc was there', () => {
  expect(runtimes.map(({ name }) => name)).toContain('runc');
});

describe.each(runtimes)('made by $name', ({ limits, updated, inside, log, record }) => {
  test('a container is in the cgroup with its limits, and an update changes them', () => {
    const files = (mebibytes: number, pids: number) => ({
      'memory.max': `${mebibytes * MEBIBYTE}`,
      'memory.swap.max': '0',
      'pids.max': `${pids}`,
    });
    expect(limits).toEqual(files(64, 8));
    expect(updated).toEqual(files(32, 12));
    expect(inside).toBe(true);
  });

  test('it cannot have more processes than its limit', () => {
    expect(log).toContain("can't fork");
    expect(log).not.toContain('not reached');
  });

  test('it is killed at its memory limit, and reported so', () => {
    expect(record).toMatchObject({ state: 'exited', exitCode: 137, oomKilled: true });
  });
});
