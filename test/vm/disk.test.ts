import { expect, inject, test } from 'vitest';

const { disk } = inject('guest');

test('who has ten times the weight reads more of a disk that two want, and an update turns that round', () => {
  expect(disk.weight.before).toBeGreaterThan(2);
  expect(disk.weight.after).toBeLessThan(1 / 2);
});

test('the same with weights for that disk alone', () => {
  expect(disk.deviceWeight.before).toBeGreaterThan(2);
  expect(disk.deviceWeight.after).toBeLessThan(1 / 2);
});

test.each(Object.entries(disk.rates))('%s is not exceeded until an update lifts it', (_, rate) => {
  expect(rate.excess).toBeLessThan(1.5);
  expect(rate.freeRatio).toBeGreaterThan(3);
  expect(rate.liftedRatio).toBeLessThan(rate.freeRatio / 2);
});

test('the statistics of a reader tell what it has read, and that it waited', () => {
  const { blkio_stats: block, pressure_stats: pressure } = disk.statistics;
  const entries = (block as { io_service_bytes_recursive: { major: number; op: string; value: number }[] })
    .io_service_bytes_recursive;
  const read = entries.find(({ op }) => op.toLowerCase() === 'read');
  expect(read?.major).toBe(254);
  expect(read?.value).toBeGreaterThan(2 ** 20);
  const { io } = pressure as { io: { some: { total_usec: number } } };
  expect(io.some.total_usec).toBeGreaterThan(100_000);
});
