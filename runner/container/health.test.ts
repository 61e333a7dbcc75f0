import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import type { Health } from './health-state.ts';
import { HealthMonitor } from './health.ts';

/** Runs the probe as a process of this machine: the monitor sees real streams, exit codes and signals. */
async function exec({ args: [command = '', ...args] }: ExecRequest): Promise<ExecSession> {
  const child = spawn(command, args);
  await once(child, 'spawn');
  const exit = once(child, 'close').then(([code]) => (code as number | null) ?? 137);
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exit,
    kill: async () => void child.kill('SIGKILL'),
    resize: async () => undefined,
    signal: async (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

type Told = [Health['status'], string];

/** The first `count` changes that a monitor of this command tells of. */
async function changes(
  count: number,
  command: string[],
  options: { timeoutMs?: number; startPeriodMs?: number; clock?: () => number } = {},
): Promise<Told[]> {
  const told: Told[] = [];
  const enough = Promise.withResolvers<void>();
  using _ = new HealthMonitor({
    check: {
      command,
      intervalMs: 10,
      timeoutMs: options.timeoutMs ?? 10_000,
      retries: 2,
      startPeriodMs: options.startPeriodMs ?? 0,
    },
    exec,
    startedAtMs: Date.now(),
    clock: options.clock ?? Date.now,
    onStatus: (status, { output }) => {
      told.push([status, output]);
      if (told.length === count) enough.resolve();
    },
  });
  await enough.promise;
  return told;
}

test('a probe that passes is told once', async () => {
  expect(await changes(1, ['true'])).toEqual([['healthy', '']]);
});

test('failures in a row are told with the output of the last', async () => {
  expect(await changes(1, ['sh', '-c', 'echo refused >&2; exit 1'])).toEqual([['unhealthy', 'refused']]);
});

test('a probe that hangs is killed at its timeout', async () => {
  const [[status, output] = []] = await changes(1, ['sleep', '1000'], { timeoutMs: 50 });
  expect(status).toBe('unhealthy');
  expect(output).toContain('exceeded its timeout of 50 ms');
});

test('a probe that cannot be run is a failure that says why', async () => {
  const [[status, output] = []] = await changes(1, ['/nowhere/probe']);
  expect(status).toBe('unhealthy');
  expect(output).toContain('ENOENT');
});

test('endless output neither stalls the probe nor is kept', async () => {
  const [[status, output] = []] = await changes(1, ['sh', '-c', 'head -c 10000000 /dev/zero | tr "\\0" x; exit 1']);
  expect(status).toBe('unhealthy');
  expect(output).toHaveLength(4096);
});

test('a clock that is set back does not make the start period longer', async () => {
  let calls = 0;
  const clock = () => (calls++ === 0 ? Date.now() : Date.now() - 3_600_000);
  expect(await changes(1, ['false'], { startPeriodMs: 50, clock })).toEqual([['unhealthy', '']]);
});

test('an interval and a timeout longer than any timer do not go off at once', async () => {
  let probes = 0;
  using _ = new HealthMonitor({
    check: { command: ['true'], intervalMs: 2 ** 40, timeoutMs: 2 ** 40, retries: 1, startPeriodMs: 0 },
    exec: (request) => {
      probes += 1;
      return exec(request);
    },
    startedAtMs: Date.now(),
    clock: Date.now,
    onStatus: () => undefined,
  });
  await delay(20); // the time that a timer of 1 ms would have gone off in, many times
  expect(probes).toBe(0);
  const [[status] = []] = await changes(1, ['true'], { timeoutMs: 2 ** 40 });
  expect(status).toBe('healthy');
});
