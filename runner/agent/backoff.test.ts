import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BACKOFF_FIRST_MS, BACKOFF_MOST_MS, backoffMs } from './backoff.ts';

test('the wait is anywhere up to a bound that doubles from 0.5 s to 30 s', () => {
  expect([0, 1, 2, 5, 6, 1e9].map((attempt) => backoffMs(attempt, 0.999999))).toEqual([
    499, 999, 1999, 15_999, 29_999, 29_999,
  ]);
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
      const waitMs = backoffMs(attempt, random);
      expect(waitMs).toBeGreaterThanOrEqual(0);
      expect(waitMs).toBeLessThan(BACKOFF_MOST_MS);
      expect(backoffMs(0, random)).toBeLessThan(BACKOFF_FIRST_MS);
    }),
  );
});
