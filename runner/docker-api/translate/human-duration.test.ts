import { expect, test } from 'vitest';
import { humanDuration } from './human-duration.ts';

const hour = 3_600_000;

// go-units, duration_test.go
test.each([
  [450, 'Less than a second'],
  [1000, '1 second'],
  [47_000, '47 seconds'],
  [60_000, 'About a minute'],
  [35 * 60_000 + 40_000, '35 minutes'],
  [hour, 'About an hour'],
  [hour + 45 * 60_000, '2 hours'],
  [3 * hour, '3 hours'],
  [24 * hour, '24 hours'],
  [3 * 24 * hour, '3 days'],
  [17 * 24 * hour, '2 weeks'],
  [90 * 24 * hour, '3 months'],
  [3 * 365 * 24 * hour, '3 years'],
])('%d ms: %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text);
});
