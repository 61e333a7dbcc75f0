import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test, afterEach } from 'vitest';
import type { ExecRequest, LaunchRequest, Shim } from '../../runner/launcher/launcher.ts';
import { shell } from './exec-in.ts';
import { isAlive, Laboratory, readLog, until } from './fixture.ts';

let laboratory: Laboratory;
let request: LaunchRequest;
let shim: Shim;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());
beforeEach(async () => {
  request = await laboratory.request('exec sleep 1000');
  shim = await laboratory.launcher.launch(request);
});
afterEach(async () => {
  await shim.signal(9).catch(() => {});
  await shim.exit;
  await shim[Symbol.asyncDispose]();
});

const command = (script: string, change: Partial<ExecRequest> = {}): ExecRequest =>
  shell(script, { env: ['PATH=/bin', 'A=b'], ...change });

async function digest(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

test('an exec has the namespaces, cgroup, capabilities and seccomp filter of its container', async () => {
  const script =
    'cat /proc/self/status /proc/self/cgroup; hostname; for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done';
  await using session = await shim.exec(command(script));
  const out = await text(session.stdout);
  expect(await session.exit).toBe(0);
  for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
    expect(out).toMatch(new RegExp(`^${set}:\\s+00000000a80425fb$`, 'm'));
  expect(out).toMatch(/^CapInh:\s+0000000000000000$/m);
  expect(out).toMatch(/^Seccomp:\s+2$/m);
  expect(out).toContain('0::/exec-1\nberth-test\n');
  const { readlinkSync } = await import('node:fs');
  for (const name of ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']) {
    expect(out).toContain(readlinkSync(`/proc/${shim.pid}/ns/${name}`));
  }
});

test('an exec has the OOM score of its container, not that of its shim', async () => {
  const change = (spec: LaunchRequest['spec']) => ({ ...spec, process: { ...spec.process, oomScoreAdj: 300 } });
  await using other = await laboratory.launcher.launch(await laboratory.request('exec sleep 1000', { spec: change }));
  await using session = await other.exec(command('cat /proc/self/oom_score_adj'));
  expect(await text(session.stdout)).toBe('300\n');
  await other.signal(9);
  await other.exit;
});

test('streams both ways, user, directory, environment, exit code', async () => {
  await using session = await shim.exec(
    command('id -un; pwd; echo $A; cat; echo wrong >&2; exit 9', { stdin: true, user: 'web', cwd: '/tmp' }),
  );
  session.stdin.end('typed\n');
  expect(await text(session.stdout)).toBe('web\n/tmp\nb\ntyped\n');
  expect(await text(session.stderr)).toBe('wrong\n');
  expect(await session.exit).toBe(9);
  expect(readLog(request.stateDirectory).stdout).toBe('');
});

test('a terminal: its size, its resize, its hang-up when the client goes away', async () => {
  const session = await shim.exec(
    command('trap "stty size; exit 4" WINCH; tty; stty size; while :; do sleep 0.05; done', {
      terminal: true,
      stdin: true,
      size: { columns: 100, rows: 33 },
    }),
  );
  let seen = '';
  session.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  await until(() => seen === '/dev/pts/0\r\n33 100\r\n');
  await session.resize({ columns: 90, rows: 20 });
  expect(await session.exit).toBe(4);
  await until(() => seen.includes('20 90'));
  const left = await shim.exec(command('exec sleep 1000', { terminal: true, stdin: true }));
  expect(isAlive(left.pid)).toBe(true);
  await left[Symbol.asyncDispose]();
  await until(() => !isAlive(left.pid));
});

test('standard error of an exec with a terminal is the terminal', async () => {
  await using session = await shim.exec(command('echo wrong >&2; readlink /proc/self/fd/2', { terminal: true }));
  expect(await text(session.stdout)).toBe('wrong\r\n/dev/pts/0\r\n');
  expect(await session.exit).toBe(0);
});

test('many megabytes both ways, unharmed', async () => {
  await using session = await shim.exec(command('cat', { stdin: true }));
  const block = Buffer.alloc(1024 * 1024, 'berth');
  const sent = createHash('sha256');
  const received = digest(session.stdout);
  for (let index = 0; index < 40; index += 1) {
    sent.update(block);
    if (!session.stdin.write(block)) await new Promise((drained) => session.stdin.once('drain', drained));
  }
  session.stdin.end();
  expect(await received).toBe(sent.digest('hex'));
  expect(await session.exit).toBe(0);
});

test('a reader that stalls delays its own exec only', async () => {
  await using stalled = await shim.exec(command('yes; true'));
  await using other = await shim.exec(command('echo free'));
  expect(await text(other.stdout)).toBe('free\n');
  await shim.signal(9);
  expect((await shim.exit).exitCode).toBe(137);
  expect(isAlive(stalled.pid)).toBe(false);
});

test('signals reach the exec; one that takes no input does not hold them up', async () => {
  await using session = await shim.exec(
    command('trap "exit 6" USR1; echo on; while :; do sleep 0.05; done', { stdin: true }),
  );
  await new Promise((ready) => session.stdout.once('data', ready));
  session.stdin.write(Buffer.alloc(4 * 1024 * 1024));
  await session.signal(10);
  expect(await session.exit).toBe(6);
});

test('errors of an exec', async () => {
  const failure = (change: Partial<ExecRequest>) => shim.exec(command('true', change)).catch((error: unknown) => error);
  expect(await failure({ args: ['nosuch'] })).toMatchObject({ code: 'launch.command-not-found' });
  expect(await failure({ args: ['/etc/passwd'] })).toMatchObject({ code: 'launch.command-not-executable' });
  expect(await failure({ user: 'nobody' })).toMatchObject({ code: 'launch.user-unknown' });
  expect(await failure({ cwd: '/nosuch' })).toMatchObject({
    code: 'launch.failed',
    message: expect.stringContaining('open working directory /nosuch') as string,
  });
  expect(await failure({ env: ['X='.padEnd(300_000, 'x')] })).toMatchObject({ code: 'launch.invalid' });
});

test('more execs than there are places for is an error, and they are free again afterwards', async () => {
  const results = await Promise.allSettled(Array.from({ length: 70 }, () => shim.exec(command('exec sleep 1000'))));
  const sessions = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  expect(sessions.length).toBe(63);
  await Promise.all(sessions.map((session) => session.signal(9)));
  expect(await Promise.all(sessions.map((session) => session.exit))).toEqual(sessions.map(() => 137));
  await using session = await shim.exec(command('echo again'));
  expect(await text(session.stdout)).toBe('again\n');
});
