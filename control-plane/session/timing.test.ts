import { expect, test } from 'vitest';
import { hubTiming } from './timing.ts';

test('a timing that no host could keep is refused', () => {
  expect(hubTiming(undefined)).toEqual({ heartbeatMs: 10_000, leaseMs: 30_000, helloMs: 10_000 });
  expect(hubTiming(100, 300)).toEqual({ heartbeatMs: 100, leaseMs: 300, helloMs: 300 });
  expect(() => hubTiming(Number('soon'))).toThrow('a heartbeat of NaN ms and a lease of 30000 ms are not times');
  expect(() => hubTiming(0)).toThrow('a heartbeat of 0 ms');
  expect(() => hubTiming(20_000)).toThrow('a lease of 30000 ms is shorter than two heartbeats of 20000 ms');
  expect(() => hubTiming(10_000, 30_001)).toThrow('a lease of 30001 ms is longer than 30000 ms');
});
