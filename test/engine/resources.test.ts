import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { call } from '../support/call-socket.ts';
import { EngineStage } from './engine-stage.ts';

/*
 * Limits, pause and statistics on this host, whose cgroup hierarchy may have no controllers: what a limit does where there
 * is one is shown in test/vm.
 */
let docker: EngineUnderTest;
let stage: EngineStage;

beforeAll(async () => {
  docker = await EngineUnderTest.runner();
  stage = await EngineStage.open();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await docker[Symbol.asyncDispose]();
});

/** Standard output of a command that succeeds, else its standard error. */
async function cli(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await docker.run({ args });
  return (exit === 0 ? stdout : stderr).trim();
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const api = (method: string, path: string, body?: unknown): Promise<Answer> =>
  call(docker.socketPath, method, `/v1.51${path}`, body) as Promise<Answer>;

const inspected = (name: string, format: string) => cli('inspect', '-f', format, name);

/** The events of a container up to the last whole second: the client asks in seconds. */
async function actions(name: string): Promise<string[]> {
  const range = ['--since', '1h', '--until', '0s'];
  return (await cli('events', ...range, '--filter', `container=${name}`, '--format', '{{.Action}}')).split('\n');
}

const started = (script: string, options: object = {}) => stage.start(['/bin/sh', '-c', script], options);

const record = (reference: string) => stage.record(reference);

test('a paused container stands still, is shown so, and what needs it to run is refused in dockerd’s words', async () => {
  const id = await cli(
    'run',
    '-d',
    '--name',
    'still',
    'busybox',
    'sh',
    '-c',
    'while :; do echo tick; sleep 0.05; done',
  );
  expect(await cli('pause', 'still')).toBe('still');
  expect(await inspected('still', '{{.State.Status}} {{.State.Running}} {{.State.Paused}}')).toBe('paused true true');
  expect(await cli('ps', '--filter', 'status=paused', '--format', '{{.Names}} {{.Status}}')).toMatch(
    /^still Up .* \(Paused\)$/,
  );
  expect(await cli('ps', '--filter', 'status=running', '-q')).toBe('');
  expect(await cli('info', '-f', '{{.ContainersPaused}} {{.ContainersRunning}}')).toBe('1 0');
  // What it had written before comes to the log; then nothing, in the time of ten ticks.
  let lines = 0;
  const standsStill = async () => {
    lines = (await cli('logs', 'still')).length;
    await delay(500);
    return (await cli('logs', 'still')).length === lines;
  };
  await expect.poll(standsStill).toBe(true);
  const refused = [
    [await api('POST', '/containers/still/pause'), 409, `Container ${id} is already paused`],
    [await api('POST', '/containers/still/start'), 409, 'cannot start a paused container, try unpause instead'],
    [
      await api('POST', '/containers/still/exec', { Cmd: ['true'] }),
      409,
      'Container still is paused, unpause the container before exec',
    ],
    [
      await api('POST', '/containers/still/attach?stream=1&stdout=1'),
      409,
      'container still is paused, unpause the container before attach',
    ],
    [
      await api('DELETE', '/containers/still'),
      409,
      `You cannot remove a paused container ${id}. Unpause and then stop the container before attempting removal or force remove`,
    ],
  ] as const;
  for (const [answer, status, message] of refused) expect(answer).toEqual({ status, body: { message } });
  expect(await cli('top', 'still')).toContain('sleep');
  expect(await cli('unpause', 'still')).toBe('still');
  expect(await inspected('still', '{{.State.Status}} {{.State.Paused}}')).toBe('running false');
  await expect.poll(async () => (await cli('logs', 'still')).length).toBeGreaterThan(lines);
  expect(await api('POST', '/containers/still/unpause')).toEqual({
    status: 500,
    body: { message: `Container ${id} is not paused` },
  });
  await cli('rm', '-f', 'still');
  await expect
    .poll(async () => (await actions('still')).filter((action) => action.includes('pause')))
    .toEqual(['pause', 'unpause']);
});

test('stop, kill, restart and forced removal reach a paused container', async () => {
  const script = 'trap "exit 7" TERM; echo ready; while :; do sleep 0.02; done';
  for (const name of ['p1', 'p2', 'p3', 'p4']) await cli('run', '-d', '--name', name, 'busybox', 'sh', '-c', script);
  for (const name of ['p1', 'p2', 'p3', 'p4']) {
    await expect.poll(() => cli('logs', name)).toBe('ready');
    await cli('pause', name);
  }
  expect(await cli('stop', '-t', '60', 'p1')).toBe('p1');
  expect(await inspected('p1', '{{.State.ExitCode}} {{.State.Paused}}')).toBe('7 false');
  expect(await cli('kill', 'p2')).toBe('p2');
  expect(await cli('wait', 'p2')).toBe('137');
  expect(await cli('restart', '-t', '60', 'p3')).toBe('p3');
  expect(await inspected('p3', '{{.State.Status}}')).toBe('running');
  expect(await cli('rm', '-f', 'p1', 'p2', 'p3', 'p4')).toBe('p1\np2\np3\np4');
  expect(await cli('create', '--name', 'cold', 'busybox', 'true')).toMatch(/^[0-9a-f]{64}$/);
  expect(await cli('pause', 'cold')).toMatch(/container [0-9a-f]{64} is not running/);
  await cli('rm', 'cold');
});

test('health checks stand still with the container', async () => {
  const timeoutMs = 1000;
  const healthcheck = { command: ['test', '-e', '/tmp/ok'], intervalMs: 50, timeoutMs, retries: 1 };
  const { id } = await started('touch /tmp/ok; sleep 1000', { healthcheck });
  // Paused while it is healthy: on a busy machine a check may just have taken too long.
  await vi.waitFor(async () => {
    await expect.poll(async () => (await record(id)).health).toBe('healthy');
    await stage.engine.call('pause', id);
    if ((await record(id)).health === 'healthy') return;
    await stage.engine.call('unpause', id);
    throw new Error('it is not healthy for long enough to be paused');
  }, 120_000);
  await delay(2 * timeoutMs + 500); // many intervals, and a time-out of a check that was under way
  expect(await record(id)).toMatchObject({ health: 'healthy', paused: true });
  await stage.engine.call('unpause', id);
  await stage.engine.call('exec', id, { args: ['rm', '/tmp/ok'] });
  await expect.poll(async () => (await record(id)).health).toBe('unhealthy');
});

test('kill -9 of the engine: who comes back tells what the freezer says', async () => {
  const [frozen, going] = [await started('sleep 1000'), await started('sleep 1000')];
  await stage.engine.call('pause', frozen.id);
  await expect(stage.engine.call('exec', frozen.id, { args: ['true'] })).rejects.toMatchObject({
    code: 'container.paused',
  });
  await stage.engine.kill();
  await stage.restart();
  expect(await record(frozen.id)).toMatchObject({ state: 'running', paused: true, pid: frozen.pid });
  expect(await record(going.id)).toMatchObject({ state: 'running', paused: false });
  await stage.engine.call('unpause', frozen.id);
  expect(await stage.engine.call('exec', frozen.id, { args: ['echo', 'on'] })).toMatchObject({ stdout: 'on\n' });
  await stage.engine.call('stop', frozen.id, { timeoutMs: 0 });
  await expect(stage.engine.call('pause', frozen.id)).rejects.toMatchObject({ code: 'container.not-running' });
  await expect(stage.engine.call('unpause', frozen.id)).rejects.toMatchObject({ code: 'container.not-paused' });
});

test('kill -9 of the engine: what it had paused for a moment goes on, and what is paused after that stays so', async () => {
  const { id } = await started('sleep 1000');
  await stage.engine.call('pause', id, { momentary: true });
  expect(await record(id)).toMatchObject({ paused: true });
  await stage.engine.kill();
  await stage.restart();
  expect(await record(id)).toMatchObject({ state: 'running', paused: false });
  expect(await stage.engine.call('exec', id, { args: ['echo', 'on'] })).toMatchObject({ stdout: 'on\n' });
  await stage.engine.call('pause', id);
  await stage.engine.kill();
  await stage.restart();
  expect(await record(id)).toMatchObject({ paused: true });
  await stage.engine.call('stop', id, { timeoutMs: 0 });
});

const kernel = 'Your kernel does not support';
const or = 'or the cgroup is not mounted';

test('limits are checked and, where the controller is missing, discarded with dockerd’s warnings', async () => {
  const create = (HostConfig: unknown) => api('POST', '/containers/create', { Image: 'busybox', HostConfig });
  expect(await create({ Memory: 1024 })).toEqual({
    status: 400,
    body: { message: 'Minimum memory limit allowed is 6MB' },
  });
  expect(await create({ Ulimits: [{ Name: 'files', Soft: 1, Hard: 1 }] })).toEqual({
    status: 400,
    body: { message: 'invalid ulimit type: files' },
  });
  expect(await create({ CgroupParent: '/../up' })).toMatchObject({ status: 400 });
  const { status, body } = await create({ Memory: 64 * 2 ** 20, PidsLimit: 7, CpuShares: 512, OomKillDisable: true });
  expect(status).toBe(201);
  const id = String(body['Id']);
  const controllers = await cli('info', '-f', '{{.MemoryLimit}} {{.PidsLimit}} {{.CPUShares}}');
  const bare = controllers === 'false false false';
  expect(body['Warnings']).toEqual(
    [
      bare ? `${kernel} memory limit capabilities ${or}. Limitation discarded.` : '',
      `${kernel} OomKillDisable. OomKillDisable discarded.`,
      bare ? `${kernel} pids limit capabilities ${or}. PIDs limit discarded.` : '',
      bare ? `${kernel} CPU shares ${or}. Shares discarded.` : '',
    ].filter((text) => text !== ''),
  );
  const seen = await inspected(id, '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}}');
  expect(seen).toMatch(bare ? /^0 <(nil|no value)> 0$/ : /^67108864 7 512$/);
  expect(await cli('start', id)).toBe(id);
  await cli('rm', '-f', id);
});

test('ulimits are those of the process', async () => {
  const limits = ['--ulimit', 'nofile=100:200', '--ulimit', 'core=0'];
  const script = 'ulimit -Sn; ulimit -Hn; ulimit -c';
  expect(await cli('run', '--rm', ...limits, 'busybox', 'sh', '-c', script)).toBe('100\n200\n0');
});

test('an update changes the restart policy, and tells of it', async () => {
  await cli('run', '-d', '--name', 'changing', 'busybox', 'sleep', '1000');
  expect(await cli('update', '--restart', 'on-failure:3', 'changing')).toBe('changing');
  expect(await inspected('changing', '{{json .HostConfig.RestartPolicy}}')).toBe(
    '{"Name":"on-failure","MaximumRetryCount":3}',
  );
  await expect.poll(() => actions('changing')).toContain('update');
  expect(await api('POST', '/containers/changing/update', { Memory: 5 })).toMatchObject({ status: 400 });
  expect(await api('POST', '/containers/changing/update', { RestartPolicy: { Name: 'often' } })).toMatchObject({
    status: 400,
  });
  expect(await api('POST', '/containers/nobody/update', {})).toMatchObject({ status: 404 });
  expect(await api('POST', '/containers/changing/update', {})).toEqual({ status: 200, body: { Warnings: null } });
  await cli('rm', '-f', 'changing');
  await cli('run', '-d', '--rm', '--name', 'passing', 'busybox', 'sleep', '1000');
  expect(await cli('update', '--restart', 'always', 'passing')).toMatch(
    /Cannot update container [0-9a-f]{64}: Restart policy cannot be updated because AutoRemove is enabled/,
  );
  await cli('rm', '-f', 'passing');
});

test('a cgroup parent is below the runner’s subtree, and goes with its last container', async () => {
  const { cgroup } = await stage.engine.call('place');
  const first = await started('sleep 1000', { cgroupParent: 'batch/night' });
  const second = await started('sleep 1000', { cgroupParent: 'batch' });
  expect(readFileSync(`/proc/${first.pid}/cgroup`, 'utf8')).toMatch(new RegExp(`/batch/night/${first.id}$`, 'm'));
  await stage.engine.kill();
  await stage.restart();
  expect(await record(first.id)).toMatchObject({ state: 'running', pid: first.pid });
  await stage.engine.call('pause', first.id);
  expect(readFileSync(join(cgroup, 'batch/night', first.id, 'cgroup.freeze'), 'utf8')).toBe('1\n');
  await stage.engine.call('remove', first.id, { force: true });
  expect(existsSync(join(cgroup, 'batch/night'))).toBe(false);
  expect(existsSync(join(cgroup, 'batch', second.id))).toBe(true);
  await stage.engine.call('remove', second.id, { force: true });
  expect(readdirSync(cgroup)).not.toContain('batch');
});

test('statistics count processor, network and pressure, without controllers too; a stopped container has zeros', async () => {
  await cli('run', '-d', '--name', 'busy', 'busybox', 'sh', '-c', 'while :; do :; done');
  const { body } = await api('GET', '/containers/busy/stats?stream=false');
  const total = (key: string): number => (body[key] as { cpu_usage: { total_usage: number } }).cpu_usage.total_usage;
  expect(body['preread']).not.toBe('0001-01-01T00:00:00Z'); // there was an earlier look, at which it had used less
  expect(total('cpu_stats')).toBeGreaterThan(total('precpu_stats'));
  expect(Object.keys(body['networks'] as object)).toEqual(['eth0']);
  expect(body).toMatchObject({ pids_stats: { current: 1 }, memory_stats: { limit: expect.any(Number) as number } });
  const pressure = existsSync('/proc/pressure/cpu') ? { cpu: { some: {} } } : {};
  expect(body['pressure_stats'] ?? {}).toMatchObject(pressure);
  const once = await api('GET', '/containers/busy/stats?stream=false&one-shot=true');
  expect(once.body).toMatchObject({ preread: '0001-01-01T00:00:00Z' });
  expect(await cli('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}')).toBe('busy 1');
  await cli('stop', '-t', '0', 'busy');
  expect((await api('GET', '/containers/busy/stats?stream=false')).body).toMatchObject({
    pids_stats: {},
    memory_stats: {},
  });
  await cli('rm', 'busy');
});
