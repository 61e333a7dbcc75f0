import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { EngineStage } from './engine-stage.ts';

let stage: EngineStage;

beforeAll(async () => {
  stage = await EngineStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const create = (script: string, options: object = {}) => stage.create(['/bin/sh', '-c', script], options);
const started = (script: string, options: object = {}) => stage.start(['/bin/sh', '-c', script], options);

const record = (reference: string) => stage.record(reference);

/** The record once it is as wanted. */
async function until(id: string, wanted: (record: ContainerRecord) => boolean): Promise<ContainerRecord> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const found = await record(id);
    if (wanted(found)) return found;
    if (performance.now() > deadline) throw new Error(`not as wanted in a minute: ${JSON.stringify(found)}`);
    await delay(20);
  }
}

const text = async (id: string) =>
  (await stage.engine.call('logs', id, { follow: false })).map((entry) => `${entry.stream}: ${entry.text}`).join('');

async function untilLogged(id: string, words: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await text(id)).includes(words)) {
    if (performance.now() > deadline) throw new Error(`"${words}" was not logged in a minute`);
    await delay(20);
  }
}

const rejection = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

test('a container runs, its output is logged, its exit code is kept', async () => {
  const { id } = await started('echo out; echo err >&2; exit 7');
  expect(await stage.engine.call('wait', id)).toBe(7);
  expect(await record(id)).toMatchObject({ state: 'exited', exitCode: 7, pid: 0, error: '' });
  const log = await text(id);
  expect(log).toContain('stdout: out\n');
  expect(log).toContain('stderr: err\n');
});

test('hostname, addresses, environment and user are its own', async () => {
  const { id, address } = await started('cat /etc/hostname; cat /etc/hosts; env; id; pwd', {
    user: 'app',
    workingDirectory: '/srv',
    environment: ['COLOUR=blue'],
  });
  await stage.engine.call('wait', id);
  const log = await text(id);
  expect(log).toContain(`stdout: ${id.slice(0, 12)}\n`);
  expect(log).toContain(`${address}\t${id.slice(0, 12)}`);
  expect(log).toContain('COLOUR=blue');
  expect(log).toContain('uid=1000(app) gid=1000(app)');
  expect(log).toContain('stdout: /srv\n');
});

test('stop sends the stop signal, and SIGKILL when that does not help', async () => {
  const polite = await started("trap 'echo bye; exit 3' USR1; echo ready; while :; do sleep 0.05; done", {
    stopSignal: 'SIGUSR1',
  });
  await untilLogged(polite.id, 'ready');
  await stage.engine.call('stop', polite.id, { timeoutMs: 60_000 });
  expect(await record(polite.id)).toMatchObject({ state: 'exited', exitCode: 3 });
  const stubborn = await started("trap '' TERM; echo ready; while :; do sleep 0.05; done", {
    restart: { kind: 'always' },
  });
  await untilLogged(stubborn.id, 'ready');
  await stage.engine.call('stop', stubborn.id, { timeoutMs: 100 });
  expect(await record(stubborn.id)).toMatchObject({ state: 'exited', exitCode: 137 });
});

test('the restart policy is followed, with its limit', async () => {
  const { id } = await started('echo run; exit 3', { restart: { kind: 'on-failure', maxRetries: 2 } });
  const ended = await until(id, ({ state }) => state === 'exited');
  expect(ended).toMatchObject({ restarts: 2, exitCode: 3 });
  expect(await text(id)).toBe('stdout: run\n'.repeat(3));
});

test('a stop between two runs is honoured', async () => {
  const { id } = await started('exit 1', { restart: { kind: 'unless-stopped' } });
  const { restartAtMs = 0, restarts } = await until(id, (now) => now.state === 'restarting' && now.restarts >= 2);
  await stage.engine.call('stop', id);
  // When another one has come back that was due later, the first would have come back too.
  const other = await started('exit 1', { restart: { kind: 'unless-stopped' } });
  const later = await until(other.id, (now) => (now.restartAtMs ?? 0) > restartAtMs);
  await until(other.id, (now) => now.restarts > later.restarts);
  expect(await record(id)).toMatchObject({ state: 'exited', restarts });
  await stage.engine.call('stop', other.id);
});

test('exec runs in the container, with its environment, user and directory', async () => {
  const { id } = await started('sleep 1000', { user: 'app', workingDirectory: '/srv', environment: ['COLOUR=blue'] });
  const result = await stage.engine.call('exec', id, {
    args: ['sh', '-c', 'id -u; pwd; echo $COLOUR; echo no >&2; exit 4'],
  });
  expect(result).toEqual({ stdout: '1000\n/srv\nblue\n', stderr: 'no\n', exitCode: 4 });
  await expect(stage.engine.call('exec', id, { args: ['nothing'] })).rejects.toEqual(
    rejection('launch.command-not-found', /execute nothing: ENOENT/),
  );
  await expect(stage.engine.call('exec', id, { args: ['/etc/passwd'] })).rejects.toEqual(
    rejection('launch.command-not-executable', /execute \/etc\/passwd: EACCES/),
  );
  await stage.engine.call('stop', id, { timeoutMs: 0 });
  await expect(stage.engine.call('exec', id, { args: ['true'] })).rejects.toEqual(
    rejection('container.not-running', /is not running/),
  );
});

test('errors name the object', async () => {
  const { id, config } = await started('sleep 1000');
  await expect(create('true', { name: config.name })).rejects.toEqual(
    rejection('container.name-taken', new RegExp(`name "${config.name}" is in use by container ${id.slice(0, 12)}`)),
  );
  await expect(create('true', { imageId: 'sha256:none', image: 'nope:1' })).rejects.toEqual(
    rejection('image.unknown', /"nope:1"/),
  );
  await expect(stage.engine.call('remove', id)).rejects.toEqual(rejection('container.running', /it is running/));
  await expect(stage.engine.call('start', 'f'.repeat(64))).rejects.toEqual(
    rejection('container.unknown', /no container/),
  );
});

test('an image that a container uses is not removed, running or stopped', async () => {
  const { id, config } = await started('sleep 1000');
  const refusal = (how: string) =>
    rejection(
      'image.in-use',
      new RegExp(
        `^conflict: unable to remove image busybox:1: image is being used by ${how} container [0-9a-f]{12} \\(`,
      ),
    );
  await expect(stage.engine.call('removeImage', 'busybox:1')).rejects.toEqual(refusal('running'));
  await stage.engine.call('stop', id, { timeoutMs: 0 });
  await stage.engine.call('start', id);
  expect(await record(id)).toMatchObject({ state: 'running', config: { name: config.name } });
  await stage.engine.call('remove', id, { force: true });
});

test('a start that fails is told to the caller and kept in the record', async () => {
  const { id } = await create('', { args: ['/bin/nothing'] });
  await expect(stage.engine.call('start', id)).rejects.toEqual(rejection('launch.command-not-found', /nothing/));
  const failed = await record(id);
  expect(failed).toMatchObject({ state: 'created', exitCode: 127 });
  expect(failed.error).toContain('nothing');
});

test('a published port is reachable while the container is healthy, and taken for others', async () => {
  const ports = [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }];
  // In its start period no failure counts, so that it stays "starting" until it is well.
  const healthcheck = {
    command: ['test', '-e', '/tmp/ok'],
    intervalMs: 100,
    startIntervalMs: 100,
    timeoutMs: 60_000,
    retries: 2,
    startPeriodMs: 600_000,
  };
  const web = await started('echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp', { ports, healthcheck });
  expect(web.health).toBe('starting');
  const address = (await stage.engine.call('place')).gateway;
  const fetchPage = () => stage.host.run('busybox', 'wget', '-q', '-O', '-', `http://${address}:8080/`);
  await expect(fetchPage()).rejects.toThrow('wget');
  await stage.engine.call('exec', web.id, { args: ['touch', '/tmp/ok'] });
  await until(web.id, ({ health }) => health === 'healthy');
  await expect.poll(() => fetchPage().catch(() => '')).toBe('hello\n');
  const other = await create('sleep 1000', { ports });
  await expect(stage.engine.call('start', other.id)).rejects.toEqual(rejection('port.taken', /8080/));
  await stage.engine.call('exec', web.id, { args: ['rm', '/tmp/ok'] });
  expect(await until(web.id, ({ health }) => health === 'unhealthy')).toMatchObject({ state: 'running', restarts: 0 });
  await stage.engine.call('stop', web.id, { timeoutMs: 0 });
  await stage.engine.call('start', other.id);
  await stage.engine.call('stop', other.id, { timeoutMs: 0 });
});

test('an unhealthy container of a task is replaced by its policy', async () => {
  const { id, pid } = await started('sleep 1000', {
    restart: { kind: 'on-failure' },
    stopTimeoutMs: 0,
    healthcheck: { command: ['false'], intervalMs: 50, timeoutMs: 60_000, retries: 2 },
    task: { id: 't', epoch: 1, serviceId: 's', slot: 1 },
  });
  const again = await until(id, ({ restarts, state }) => restarts >= 1 && state === 'running');
  expect(again.pid).not.toBe(pid);
  await stage.engine.call('stop', id, { timeoutMs: 0 });
});

test('a health check that hangs is killed and counts as a failure', async () => {
  const { id } = await started('sleep 1000', {
    healthcheck: { command: ['sleep', '500'], intervalMs: 50, timeoutMs: 100, retries: 1 },
  });
  expect(await until(id, ({ health }) => health === 'unhealthy')).toMatchObject({ state: 'running' });
  await stage.engine.call('stop', id, { timeoutMs: 0 });
});

test('following a log ends with the container', async () => {
  const { id } = await started('for i in 1 2 3; do echo $i; sleep 0.1; done');
  const entries = await stage.engine.call('logs', id, { follow: true });
  expect(entries.map((entry) => entry.text)).toEqual(['1\n', '2\n', '3\n']);
  expect((await stage.engine.call('logs', id, { follow: false, tail: 1 })).map((entry) => entry.text)).toEqual(['3\n']);
});

test('kill -9 of the engine: containers go on, are adopted, and what ended meanwhile is known', async () => {
  const running = await started('echo before; sleep 1000');
  const ending = await started('sleep 1000');
  const returning = await started('sleep 1000', { restart: { kind: 'always' } });
  await stage.engine.kill();
  process.kill(returning.pid, 'SIGKILL');
  process.kill(ending.pid, 'SIGKILL');
  await stage.restart();
  expect(await record(running.id)).toMatchObject({ state: 'running', pid: running.pid, address: running.address });
  expect(await stage.engine.call('exec', running.id, { args: ['echo', 'here'] })).toMatchObject({
    stdout: 'here\n',
  });
  // Their shims write down the ends, maybe after the new engine has come.
  const ended = await until(ending.id, ({ state }) => state === 'exited');
  expect(ended).toMatchObject({ exitCode: 137, error: '' });
  const again = await until(returning.id, ({ state, restarts }) => state === 'running' && restarts > 0);
  expect(again.pid).not.toBe(returning.pid);
  expect(again.restarts).toBe(1);
  await stage.engine.call('stop', running.id, { timeoutMs: 0 });
  expect((await record(running.id)).state).toBe('exited');
});

test('a container whose shim was killed does not stay running', async () => {
  const { id, pid } = await started('sleep 1000');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const shimPid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  process.kill(shimPid, 'SIGKILL');
  const ended = await until(id, ({ state }) => state === 'exited');
  expect(ended.error).toMatch(/not seen/);
  // Its processes ended with it.
  expect(await readdir((await stage.engine.call('place')).cgroup)).not.toContain(id);
});

test('what no record speaks of is removed at the start, a removal and a stop that were cut off are carried on', async () => {
  const [forgotten, removing, stopping] = [
    await started('sleep 1000'),
    await started('sleep 1000'),
    await started('sleep 1000', { restart: { kind: 'always' }, stopTimeoutMs: 50 }),
  ];
  const { cgroup } = await stage.engine.call('place');
  await stage.engine.kill();
  {
    using database = new DatabaseSync(join(stage.data, 'runner.db'));
    database.prepare('delete from containers where id = ?').run(forgotten.id);
    database.prepare("update containers set state = 'removing' where id = ?").run(removing.id);
    database.prepare("update containers set desired = 'stopped' where id = ?").run(stopping.id);
  }
  await stage.restart();
  for (const { id, pid } of [forgotten, removing]) {
    expect(await stage.engine.call('find', id)).toBeNull();
    expect(await readdir(join(stage.data, 'containers'))).not.toContain(id);
    expect(await readdir(cgroup)).not.toContain(id);
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).toBe('');
  }
  expect(await until(stopping.id, ({ state }) => state === 'exited')).toMatchObject({ exitCode: 137, restarts: 0 });
});

test('remove leaves nothing', async () => {
  const { id } = await started('sleep 1000');
  await stage.engine.call('remove', id, { force: true });
  expect(await stage.engine.call('find', id)).toBeNull();
  expect(await readdir(join(stage.data, 'containers'))).not.toContain(id);
  const { cgroup } = await stage.engine.call('place');
  expect(await readdir(cgroup)).not.toContain(id);
  expect(await stage.host.ip('-o', 'link')).not.toContain(id.slice(0, 8));
});

test('what could not be recorded is tried again: a restart, the end of a start, the end of a run', async () => {
  const { id } = await started('sleep 0.2; exit 1', { restart: { kind: 'always' } });
  await stage.engine.call('refuse', 'starting');
  const { restarts, restartAtMs = 0 } = await until(id, ({ state }) => state === 'restarting');
  await until(id, () => Date.now() > restartAtMs + 300); // it was due and failed
  await stage.engine.call('refuse');
  await until(id, (now) => now.restarts > restarts);
  await stage.engine.call('refuse', 'restarting', 'exited', 'created');
  await stage.engine.call('stop', id, { timeoutMs: 0 }).catch(() => undefined);
  const missing = await create('', { args: ['nosuch'] });
  await expect(stage.engine.call('start', missing.id)).rejects.toMatchObject({ code: 'launch.command-not-found' });
  expect(await record(missing.id)).toMatchObject({ state: 'starting' });
  await stage.engine.call('refuse');
  expect(await until(missing.id, ({ state }) => state === 'created')).toMatchObject({ exitCode: 127 });
  await stage.engine.call('stop', id, { timeoutMs: 0 });
  await until(id, ({ state }) => state === 'exited');
});

test('a shim is in no cgroup that ends with the runner, nor in its container’s', async () => {
  const { id, pid } = await started('sleep 1000');
  const shim = Number(/^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const { instance } = await stage.engine.call('place');
  expect(await readFile(`/proc/${shim}/cgroup`, 'utf8')).toContain(`0::/berth-${instance}/shims\n`);
  await stage.engine.call('remove', id, { force: true });
});

test('a container that could not be recovered is tried again', async () => {
  const { id, pid } = await started('sleep 1000');
  const shim = Number(/^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  await stage.engine.kill();
  process.kill(shim, 'SIGKILL');
  const obstacle = join(stage.data, 'containers', id, 'state/exit.json');
  await mkdir(obstacle);
  await stage.restart();
  expect(await record(id)).toMatchObject({ state: 'running' });
  await rm(obstacle, { recursive: true });
  expect(await until(id, ({ state }) => state === 'exited')).toMatchObject({ exitCode: 255 });
});
