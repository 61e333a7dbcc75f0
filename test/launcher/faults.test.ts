import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Shim } from '../../runner/launcher/launcher.ts';
import { exists, isAlive, Laboratory, link, readLog, repository, until } from './fixture.ts';

let laboratory: Laboratory;
beforeEach(async () => {
  laboratory = await Laboratory.open();
});
afterEach(() => laboratory[Symbol.asyncDispose]());

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** Kills it, unless it is undoing its launch, of which it can tell nobody any more, and has got so far already. */
function killShimOf(pid: number): void {
  try {
    process.kill(parentOf(pid), 'SIGKILL');
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

test('kill -9 of the spawner: its containers live on, launches fail clearly or succeed, the next one works', async () => {
  const request = await laboratory.request('echo one; exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  const spawner = parentOf(parentOf(shim.pid));
  const during = Promise.allSettled(
    Array.from({ length: 8 }, async () => {
      const other = await laboratory.request('exec sleep 1000');
      return laboratory.launcher.launch(other);
    }),
  );
  process.kill(spawner, 'SIGKILL');
  const failures: unknown[] = [];
  for (const result of await during) {
    if (result.status === 'fulfilled') {
      await result.value.signal(9);
      await result.value.exit;
      await result.value[Symbol.asyncDispose]();
    } else {
      failures.push((result.reason as { code?: string }).code);
    }
  }
  expect(failures.filter((code) => code !== 'launcher.spawner-lost')).toEqual([]);
  expect(isAlive(shim.pid)).toBe(true);
  expect((await laboratory.run('echo two')).stdout).toBe('two\n');
  await shim.signal(9);
  expect((await shim.exit).exitCode).toBe(137);
  const cgroups = readdirSync(laboratory.cgroup('.'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(cgroups).toEqual([]);
});

test('kill -9 of the shim: its container ends too, is told as lost, and nothing is left', async () => {
  const end = link(laboratory.instance, 3);
  await laboratory.launcher.ensureBridge({ name: end.bridge, address: end.gateway, prefixLength: 24 });
  try {
    for (const user of ['', 'web']) {
      const request = await laboratory.request('sleep 1001 & exec sleep 1000', { request: { links: [end], user } });
      await using shim = await laboratory.launcher.launch(request);
      process.kill(parentOf(shim.pid), 'SIGKILL');
      await expect(shim.exit).rejects.toMatchObject({ code: 'shim.lost' });
      expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
      // A zombie until init takes it; sysfs forgets a link a moment after the kernel has.
      await until(() => !isAlive(shim.pid) && !exists(`/sys/class/net/${end.hostName}`));
    }
  } finally {
    await laboratory.launcher.removeLink(end.bridge);
  }
});

test('kill -9 of the runner: containers, logs and exit codes are untouched, and found by the next one', async () => {
  const request = await laboratory.request('echo begin; read line; echo $line; exit 11', { request: { stdin: true } });
  const program = `
    import { createLauncher } from '${repository}/runner/launcher/client.ts';
    const launcher = await createLauncher(JSON.parse(process.argv[1]));
    const shim = await launcher.launch(JSON.parse(process.argv[2]));
    console.log(shim.pid);`;
  const { binary, cgroupRoot } = await import('./fixture.ts');
  const options = { binary, cgroupRoot, cacheDirectory: `${laboratory.directory}/cache`, controllers: [] };
  const child = spawn(
    process.execPath,
    ['--input-type=module-typescript', '-e', program, JSON.stringify(options), JSON.stringify(request)],
    { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const pid = Number(await new Promise((line) => child.stdout.once('data', (chunk: Buffer) => line(chunk.toString()))));
  const spawner = parentOf(parentOf(pid));
  child.kill('SIGKILL');
  await until(() => !isAlive(spawner));
  expect(isAlive(pid)).toBe(true);
  const shim = await laboratory.launcher.connect(request.stateDirectory);
  expect(shim?.pid).toBe(pid);
  await using session = await shim?.attach();
  session?.stdin.end('after\n');
  expect((await shim?.exit)?.exitCode).toBe(11);
  expect(readLog(request.stateDirectory).stdout).toBe('begin\nafter\n');
});

test('runner, spawner and shim killed at random moments of fifty launches: after connect nothing is left', async () => {
  const end = link(laboratory.instance, 4);
  await laboratory.launcher.ensureBridge({ name: end.bridge, address: end.gateway, prefixLength: 24 });
  try {
    for (let round = 0; round < 50; round += 1) {
      const links = [{ ...end, hostName: `${end.hostName}r${round}` }];
      const request = await laboratory.request('exec sleep 1000', { request: { links } });
      const probe = await laboratory.request('exec sleep 1000');
      const victim: Shim = await laboratory.launcher.launch(probe);
      const spawner = parentOf(parentOf(victim.pid));
      const launch = laboratory.launcher.launch(request).catch((error: unknown) => error);
      // Somewhere within the four or so milliseconds that a launch takes.
      const moment = performance.now() + (round % 10) * 0.8;
      while (performance.now() < moment) await new Promise((next) => setImmediate(next));
      process.kill(spawner, 'SIGKILL');
      await launch;
      const shim = await laboratory.launcher.connect(request.stateDirectory);
      if (shim !== undefined) {
        killShimOf(shim.pid);
        await shim.exit.catch(() => {}); // rejected once what is left has been removed
      }
      expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
      await until(() => !exists(`/sys/class/net/${end.hostName}r${round}`));
      expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(request.containerId);
      await victim.signal(9);
      await victim.exit;
    }
  } finally {
    await laboratory.launcher.removeLink(end.bridge);
  }
});

test('a shim without a free place for a connection is not taken for dead', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  await using sessions = new AsyncDisposableStack();
  let places = 0;
  for (let full = false; !full; places += 1) {
    const session = await shim.attach().catch(() => undefined);
    full = session === undefined;
    if (session !== undefined) sessions.use(session);
  }
  expect(places).toBeGreaterThan(50);
  await expect(laboratory.launcher.connect(request.stateDirectory)).rejects.toMatchObject({ code: 'shim.busy' });
  expect(isAlive(shim.pid)).toBe(true);
  await sessions.disposeAsync();
  // The places are free once the shim has seen that the connections are closed.
  const pidOfAgain = async () => {
    await using again = await laboratory.launcher.connect(request.stateDirectory);
    return again?.pid;
  };
  await expect.poll(pidOfAgain).toBe(shim.pid);
});

test('what was launched before the host was started again, in a hierarchy mounted elsewhere, is gone', async () => {
  const request = await laboratory.request('true');
  for (const cgroupRoot of ['/nonexistent', '/tmp']) {
    const record = { cgroupRoot, cgroupPath: `/${laboratory.instance}/x`, links: ['bvnonexistent'] };
    writeFileSync(`${request.stateDirectory}/launch.json`, JSON.stringify(record));
    expect(await laboratory.launcher.connect(request.stateDirectory)).toBeUndefined();
    expect(exists(`${request.stateDirectory}/launch.json`)).toBe(false);
  }
});

test('two hundred launches leave the spawner with no descriptor and no child more', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  const spawner = parentOf(parentOf(shim.pid));
  const descriptors = () => readdirSync(`/proc/${spawner}/fd`).length;
  const children = () => readFileSync(`/proc/${spawner}/task/${spawner}/children`, 'utf8').trim().split(' ').length;
  const shimDescriptors = () => readdirSync(`/proc/${parentOf(shim.pid)}/fd`).length;
  const before = { descriptors: descriptors(), children: children(), ofShim: shimDescriptors() };
  const one = async (index: number) => {
    if (index % 4 > 0) {
      await laboratory.run('true');
      return;
    }
    const failing = await laboratory.request('true', { request: { user: 'nobody' } });
    await laboratory.launcher.launch(failing).catch(() => {});
    await using session = await shim.exec({
      args: ['true'],
      env: [],
      cwd: '',
      user: '',
      terminal: index % 8 > 0,
      stdin: true,
    });
    await session.exit;
  };
  for (let index = 0; index < 200; index += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, offset) => one(index + offset)));
  }
  // What is on its way out (a connection's close, a child not reaped yet) may take its time; nothing may stay.
  await until(() => children() <= before.children && shimDescriptors() <= before.ofShim);
  await expect.poll(descriptors).toBeLessThanOrEqual(before.descriptors);
});
