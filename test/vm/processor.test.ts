import { expect, inject, test } from 'vitest';

const { processor } = inject('guest');

test('a share of a processor is not exceeded, and an update changes it for the running process', () => {
  const { before, throttled, after } = processor.quota;
  expect(before).toBeLessThan(0.3);
  expect(throttled).toBeGreaterThan(5);
  expect(after).toBeLessThan(0.75);
  expect(after / before).toBeGreaterThan(1.5);
});

test('who has eight times the shares gets more of a processor that two want, and an update turns that round', () => {
  const { before, after } = processor.shares;
  expect(before).toBeGreaterThan(2.5);
  expect(after).toBeLessThan(1 / 2.5);
});

test('the statistics tell of the waiting for a processor', () => {
  const some = { total_usec: expect.any(Number) as number };
  expect(processor.pressure).toMatchObject({ cpu: { some }, memory: { some }, io: { some } });
  const { cpu } = processor.pressure as { cpu: { some: { total_usec: number } } };
  expect(cpu.some.total_usec).toBeGreaterThan(100_000);
});

test('an update moves the running process to other processors', () => {
  expect(processor.cpuset).toEqual({ before: '0', after: '1' });
});

test('a container has its memory on its nodes, and an update moves it to others', () => {
  const { before, after } = processor.nodes;
  expect([before.allowed, after.allowed]).toEqual(['1', '0']);
  expect(before.bytes).toEqual([0, expect.toSatisfy((mib: number) => mib >= 8)]);
  expect(after.bytes).toEqual([expect.toSatisfy((mib: number) => mib >= 8), 0]);
});

test('a memory node that is not there is refused, at the start and as an update', () => {
  expect(processor.noNode).toEqual(['launch.failed', 'cgroup.write-failed']);
});
