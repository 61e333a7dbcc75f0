import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideRestart, returnsWithRunner, type EndedRun } from './restart.ts';

const ended: EndedRun = {
  policy: { kind: 'always' },
  stopped: false,
  exitCode: 1,
  restarts: 0,
  ranMs: 50,
  lastBackoffMs: undefined,
};

test('the pause doubles from 100 ms to a minute, and begins anew after a run of ten seconds', () => {
  const pauses: number[] = [];
  let lastBackoffMs: number | undefined;
  for (let restarts = 0; restarts < 13; restarts += 1) {
    const decision = decideRestart({ ...ended, restarts, lastBackoffMs });
    if (decision.kind !== 'restart') throw new Error('expected a restart');
    pauses.push(decision.backoffMs);
    lastBackoffMs = decision.backoffMs;
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000]);
  expect(decideRestart({ ...ended, lastBackoffMs, ranMs: 10_000 })).toEqual({ kind: 'restart', backoffMs: 100 });
});

test.each([
  ['no', { kind: 'no' }, 1, 0, 'stay'],
  ['always, success', { kind: 'always' }, 0, 0, 'restart'],
  ['unless-stopped, success', { kind: 'unless-stopped' }, 0, 0, 'restart'],
  ['on-failure, success', { kind: 'on-failure' }, 0, 0, 'stay'],
  ['on-failure, failure', { kind: 'on-failure' }, 1, 99, 'restart'],
  ['on-failure, tries left', { kind: 'on-failure', maxRetries: 3 }, 1, 2, 'restart'],
  ['on-failure, no tries left', { kind: 'on-failure', maxRetries: 3 }, 1, 3, 'stay'],
] as const)('%s', (_, policy, exitCode, restarts, kind) => {
  expect(decideRestart({ ...ended, policy, exitCode, restarts }).kind).toBe(kind);
});

test('nothing restarts what was stopped, and no pause is longer than a minute', () => {
  const run = fc.record({
    policy: fc.constantFrom<EndedRun['policy']>(
      { kind: 'no' },
      { kind: 'always' },
      { kind: 'unless-stopped' },
      { kind: 'on-failure' },
      { kind: 'on-failure', maxRetries: 2 },
    ),
    stopped: fc.boolean(),
    exitCode: fc.nat(255),
    restarts: fc.nat(10),
    ranMs: fc.nat(20_000),
    lastBackoffMs: fc.option(fc.integer({ min: -1000, max: 100_000 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(run, (one) => {
      const decision = decideRestart(one);
      const pauseMs = decision.kind === 'restart' ? decision.backoffMs : 100;
      expect(one.stopped && decision.kind === 'restart').toBe(false);
      expect(pauseMs).toBeGreaterThanOrEqual(100);
      expect(pauseMs).toBeLessThanOrEqual(60_000);
    }),
  );
});

test('with the runner, only a container of policy always returns after a manual stop, and no task', () => {
  const container = { policy: { kind: 'always' }, ofTask: false, everStarted: true } as const;
  expect(returnsWithRunner(container)).toBe(true);
  expect(returnsWithRunner({ ...container, ofTask: true })).toBe(false);
  expect(returnsWithRunner({ ...container, everStarted: false })).toBe(false);
  expect(returnsWithRunner({ ...container, policy: { kind: 'unless-stopped' } })).toBe(false);
});
