import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { execIn } from './exec-in.ts';
import { Laboratory, readLog, repository, until } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  execFileSync('make', ['-s', '-f', 'runner/init/init.mk', 'build/bin/berth-init'], { cwd: repository });
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

/** As `docker run --init`: the program read-only at /sbin/docker-init, in front of the container's own. */
const withInit =
  (args?: readonly string[], terminal = false) =>
  (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    process: { ...spec.process, terminal, args: ['/sbin/docker-init', '--', ...(args ?? spec.process.args)] },
    mounts: [
      ...spec.mounts,
      {
        destination: '/sbin/docker-init',
        type: 'bind',
        source: join(repository, 'build/bin/berth-init'),
        options: ['bind', 'ro'],
      },
    ],
  });

test.each([
  ['exit 0', 0],
  ['exit 7', 7],
  ['kill -KILL $$', 137],
  ['kill -SEGV $$', 139],
])('the exit code is that of the program: %s', async (script, exitCode) => {
  expect(await laboratory.run(script, { spec: withInit() })).toMatchObject({ exitCode });
});

test('a program that is not there, or is none', async () => {
  expect(await laboratory.run('', { spec: withInit(['nosuch']) })).toMatchObject({
    exitCode: 127,
    stderr: 'berth-init: execute nosuch: No such file or directory\n',
  });
  expect(await laboratory.run('', { spec: withInit(['/etc/passwd']) })).toMatchObject({ exitCode: 126 });
});

test('orphans that end are collected, and what still runs ends with the program', async () => {
  const request = await laboratory.request(
    'for i in 1 2 3 4 5 6 7 8; do (sleep 0.01 &); done; (setsid sleep 1000 &); echo up; read line',
    { spec: withInit(), request: { stdin: true } },
  );
  await using shim = await laboratory.launcher.launch(request);
  await using session = await shim.attach();
  await until(() => readLog(request.stateDirectory).stdout === 'up\n');
  const processes = async () => (await execIn(shim, 'ps -o pid,ppid,stat,args')).stdout;
  await until(async () => !/\d\s+\S+\s+sleep 0\.01$|\sZ\s/m.test(await processes()));
  await expect.poll(processes).toMatch(/\s1\s+S\s+sleep 1000/);
  session.stdin.end('\n');
  expect((await shim.exit).exitCode).toBe(0);
});

test('signals go to the program, whatever they are', async () => {
  const request = await laboratory.request(
    'for s in HUP INT TERM USR1 USR2 WINCH; do trap "echo $s" $s; done; trap "exit 5" QUIT; echo up; while :; do sleep 0.01; done',
    { spec: withInit() },
  );
  await using shim = await laboratory.launcher.launch(request);
  const log = () => readLog(request.stateDirectory).stdout;
  await until(() => log() === 'up\n');
  let expected = 'up\n';
  for (const [number, name] of [
    [1, 'HUP'],
    [2, 'INT'],
    [15, 'TERM'],
    [10, 'USR1'],
    [12, 'USR2'],
    [28, 'WINCH'],
  ] as const) {
    await shim.signal(number);
    expected += `${name}\n`;
    await until(() => log() === expected);
  }
  await shim.signal(3);
  expect((await shim.exit).exitCode).toBe(5);
});

test('a program that heeds no handler ends by the signal, though its init is process 1', async () => {
  const request = await laboratory.request('echo up; exec sleep 1000', { spec: withInit() });
  await using shim = await laboratory.launcher.launch(request);
  await until(() => readLog(request.stateDirectory).stdout === 'up\n');
  await shim.stop(15, 60_000);
  expect((await shim.exit).exitCode).toBe(143);
});

test('what is typed at the terminal is for the program', async () => {
  const request = await laboratory.request('trap "echo caught; exit 6" INT; echo up; while :; do sleep 0.01; done', {
    spec: withInit(undefined, true),
    request: { stdin: true },
  });
  await using shim = await laboratory.launcher.launch(request);
  await using session = await shim.attach();
  await until(() => readLog(request.stateDirectory).stdout.startsWith('up'));
  session.stdin.write('\u0003');
  expect((await shim.exit).exitCode).toBe(6);
});
