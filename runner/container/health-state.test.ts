import { expect, test } from 'vitest';
import { initialHealth, nextHealth, type Health } from './health-state.ts';

const check = { retries: 2, startPeriodMs: 1000 };
const after = (health: Health, passed: boolean, sinceStartMs: number) =>
  nextHealth(health, { passed, sinceStartMs }, check);

test('failures in the start period do not count, later ones make it unhealthy', () => {
  let health = after(after(initialHealth, false, 100), false, 900);
  expect(health).toEqual({ status: 'starting', failures: 0 });
  health = after(health, false, 1000);
  expect(health).toEqual({ status: 'starting', failures: 1 });
  expect(after(health, false, 1100)).toEqual({ status: 'unhealthy', failures: 2 });
});

test('one success is healthy and ends the start period', () => {
  const healthy = after(initialHealth, true, 100);
  expect(healthy).toEqual({ status: 'healthy', failures: 0 });
  expect(after(healthy, false, 200)).toEqual({ status: 'healthy', failures: 1 });
  expect(after(after(healthy, false, 200), false, 300).status).toBe('unhealthy');
});

test('an unhealthy container becomes healthy again', () => {
  expect(after({ status: 'unhealthy', failures: 7 }, true, 5000)).toEqual({ status: 'healthy', failures: 0 });
});
