import { expect, test } from 'vitest';
import { MAX_TIMER_MS, parseDurationMs } from './duration.ts';
import { healthcheck, onDisconnect } from './model/service.ts';
import { welcomeMessage } from './protocol/control.ts';

test('what a timer waits for is within its reach', () => {
  const over = MAX_TIMER_MS + 1;
  for (const name of ['intervalMs', 'timeoutMs', 'startPeriodMs']) {
    expect(healthcheck.safeParse({ command: ['true'], [name]: MAX_TIMER_MS }).success).toBe(true);
    expect(healthcheck.safeParse({ command: ['true'], [name]: over }).success).toBe(false);
  }
  const welcome = { kind: 'welcome', protocol: 1, sessionId: 's', heartbeatMs: 1, leaseMs: 1, ackedSeq: 0 };
  expect(welcomeMessage.safeParse(welcome).success).toBe(true);
  expect(welcomeMessage.safeParse({ ...welcome, heartbeatMs: over }).success).toBe(false);
  expect(welcomeMessage.safeParse({ ...welcome, leaseMs: over }).success).toBe(false);
  for (const kind of ['replace-after', 'stop-after']) {
    expect(onDisconnect.safeParse({ kind, afterMs: over }).success).toBe(false);
  }
});

test('a duration is a sum of numbers with units', () => {
  expect(parseDurationMs('1h5m30s20ms')).toBe(3_930_020);
  expect(parseDurationMs('1.5s')).toBe(1500);
  for (const text of ['', '5', 's', '1s ', '-1s', '1d']) {
    expect(() => parseDurationMs(text)).toThrow(`"${text}" is not a duration`);
  }
});
