import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readlink, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventView } from '#shared/api/events.ts';
import { firstProcess } from '../support/stage/containers.ts';
import { House, IMAGE, service, type RunningTask } from './house.ts';

// One cluster for all of them; each test removes the stack that it made.
let house: House;
beforeAll(async () => {
  house = await House.open();
});
afterAll(async () => {
  if (process.env['BERTH_TEST_LOG'] !== undefined) process.stderr.write(await house.stage.tails());
  await house[Symbol.asyncDispose]();
});

const file = (stack: string, options: Parameters<typeof service>[0]): Promise<string> =>
  house.compose(stack, `name: ${stack}\nservices:\n  web:\n${service(options)}\n`);

const hostsOf = (running: readonly RunningTask[]): ReadonlySet<string | undefined> =>
  new Set(running.map(({ task }) => task.host?.name));

const idsAndPids = (running: readonly RunningTask[]): readonly string[] =>
  running.map(({ task, pid }) => `${task.containerId} ${pid}`).toSorted();

async function removeStack(stack: string): Promise<void> {
  const containers = (await house.admin.tasks(stack)).map(({ containerId }) => containerId);
  await house.ok('rm', stack, '--wait');
  await house.untilGone(containers);
}

test('apply starts containers on both hosts; scale and rm leave as many as are wanted', async () => {
  const path = await file('spread', { replicas: 2 });
  expect(await house.ok('apply', '-f', path, '--wait')).toContain('revision 1');
  const two = await house.running('spread', 2);
  expect(hostsOf(two)).toEqual(new Set(['alpha', 'beta']));
  for (const { task, pid } of two) {
    const shim = /^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    const { ino } = await stat(`/run/netns/${house.host(task.host?.name ?? '').namespace}`);
    expect(await readlink(`/proc/${shim}/ns/net`)).toBe(`net:[${ino}]`);
    expect(await readlink(`/proc/${pid}/ns/net`)).not.toBe(`net:[${ino}]`);
  }
  await house.ok('scale', 'spread/web=5', '--wait');
  const five = await house.running('spread', 5);
  expect(idsAndPids(five)).toEqual(expect.arrayContaining([...idsAndPids(two)]));
  await house.ok('scale', 'spread/web=1', '--wait');
  const [one] = await house.running('spread', 1);
  const rest = five.filter(({ pid }) => pid !== one?.pid);
  expect(rest).toHaveLength(4);
  await house.untilGone(rest.map(({ task }) => task.containerId));
  expect(await house.ok('ls')).toMatch(/^spread .*1\/1/m);
  await house.ok('rm', 'spread', '--wait');
  await house.untilGone([one?.task.containerId]);
  expect(await house.admin.tasks('spread')).toEqual([]);
});

test('a changed environment is rolled out one at a time, by what the event log says', async () => {
  await house.ok('apply', '-f', await file('rolled', { replicas: 3, environment: { COLOUR: 'red' } }), '--wait');
  const before = await house.running('rolled', 3);
  await house.ok('apply', '-f', await file('rolled', { replicas: 3, environment: { COLOUR: 'blue' } }), '--wait');
  const after = await house.running('rolled', 3);
  expect(idsAndPids(after).filter((one) => idsAndPids(before).includes(one))).toEqual([]);
  for (const slot of [1, 2, 3]) {
    expect(await house.ok('exec', `rolled/web.${slot}`, 'sh', '-c', 'echo $COLOUR')).toBe('blue\n');
  }
  const events = (await house.admin.events()).filter(({ subject }) => subject['stack'] === 'rolled');
  const update = events.findIndex(({ kind }) => kind === 'service.updated');
  const story = events
    .slice(update + 1)
    .filter(({ kind }) => kind === 'task.retired' || kind === 'task.running')
    .map(({ kind, subject }) => `${kind} ${subject['slot']}`);
  expect(story).toEqual([1, 2, 3].flatMap((slot) => [`task.retired ${slot}`, `task.running ${slot}`]));
  await removeStack('rolled');
});

test('logs -f goes on with what is written; exec passes input, output, exit code and a terminal', async () => {
  await house.ok('apply', '-f', await file('talk', {}), '--wait');
  const logs = house.stage.spawnBerth('logs', '-f', 'talk/web');
  try {
    const lines = createInterface({ input: logs.stdout });
    const next = async (): Promise<string> => ((await once(lines, 'line')) as [string])[0];
    const first = next();
    expect(await first).toBe('started');
    const second = next();
    await house.ok('exec', 'talk/web.1', 'sh', '-c', 'echo from exec > /proc/1/fd/1');
    expect(await second).toBe('from exec');
  } finally {
    logs.kill('SIGINT');
  }
  expect(await once(logs, 'exit')).toEqual([130, null]);

  const cat = house.stage.spawnBerth('exec', '-i', 'talk/web.1', 'sh', '-c', 'cat; echo to-stderr >&2; exit 9');
  const output = text(cat.stdout);
  const error = text(cat.stderr);
  cat.stdin.end('one\ntwo');
  expect(await once(cat, 'exit')).toEqual([9, null]);
  expect(await output).toBe('one\ntwo');
  expect(await error).toBe('to-stderr\n');

  const environment = { ...process.env, BERTH_CONFIG: house.stage.configPath, SHELL: '/bin/sh' };
  const command = 'stty rows 31 cols 77; bin/berth exec -it talk/web.1 sh -c "stty size; test -t 0 && echo a terminal"';
  const terminal = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const screen = text(terminal.stdout);
  expect(await once(terminal, 'exit')).toEqual([0, null]);
  expect((await screen).replaceAll('\r', '')).toContain('31 77\na terminal\n');
  await removeStack('talk');
});

test('a published port answers on each host that runs a replica', async () => {
  const script = "trap 'exit 0' TERM; mkdir /www; hostname > /www/index.html; httpd -f -p 80 -h /www & wait";
  const compose = [
    'name: page',
    'services:',
    '  web:',
    `    image: ${IMAGE}`,
    `    command: ["/bin/sh", "-c", ${JSON.stringify(script)}]`,
    '    ports: ["8080:80"]',
    '    deploy: { replicas: 2 }',
  ].join('\n');
  await house.ok('apply', '-f', await house.compose('page', compose), '--wait');
  await house.running('page', 2);
  for (const { address } of house.stage.hosts) {
    const page = async (): Promise<string> => (await fetch(`http://${address}:8080/`)).text();
    expect(await house.until(`a page of ${address}`, page)).toMatch(/^web-[12]\n$/);
  }
  expect(await house.ok('image', 'ls')).toMatch(/^house:1 .*alpha, beta$/m);
  await removeStack('page');
});

test('a control plane that was killed comes back with empty memory and steers on', async () => {
  await house.ok('apply', '-f', await file('memory', { replicas: 2 }), '--wait');
  const before = await house.running('memory', 2);
  await house.daemon('control-plane').kill();
  expect(await house.refused('ps')).toMatchObject({ exitCode: 6, text: expect.stringContaining(house.stage.url) });
  house.startControlPlane();
  await house.untilAnswering();
  await house.untilReady();
  expect(idsAndPids(await house.running('memory', 2))).toEqual(idsAndPids(before));
  await house.ok('scale', 'memory/web=3', '--wait');
  expect(idsAndPids(await house.running('memory', 3))).toEqual(expect.arrayContaining([...idsAndPids(before)]));
  await removeStack('memory');
});

test('a runner that was killed leaves its containers, and adopts the same processes again', async () => {
  await house.ok('apply', '-f', await file('adopted', { replicas: 2 }), '--wait');
  const before = await house.running('adopted', 2);
  const alpha = house.host('alpha');
  await house.daemon('alpha').kill();
  for (const { task, pid } of before) expect(await firstProcess(task.containerId ?? '')).toBe(pid);
  house.startRunner(alpha);
  await house.untilReady();
  expect(idsAndPids(await house.running('adopted', 2))).toEqual(idsAndPids(before));
  expect(await house.ok('exec', 'adopted/web.1', 'echo', 'still here')).toBe('still here\n');
  await removeStack('adopted');
});

test('a host whose control plane is away restarts its containers, and tells of it later', async () => {
  await house.ok('apply', '-f', await file('alone', { replicas: 2 }), '--wait');
  const before = await house.running('alone', 2);
  await house.daemon('control-plane').kill();
  const [victim] = before;
  process.kill(victim?.pid ?? 0, 'SIGKILL');
  const id = victim?.task.containerId ?? '';
  await house.until('the container to be started again', async () => {
    const pid = await firstProcess(id);
    return pid !== undefined && pid !== victim?.pid ? true : undefined;
  });
  // A runner that starts without any control plane converges to what is on its disk.
  const name = victim?.task.host?.name ?? '';
  await house.daemon(name).kill();
  const again = await firstProcess(id);
  process.kill(again ?? 0, 'SIGKILL');
  await house.untilGone([id]);
  house.startRunner(house.host(name));
  await house.until('the container to be started by the new runner', () => firstProcess(id));
  house.startControlPlane();
  await house.untilAnswering();
  await house.untilReady();
  const told = await house.until('the restart to be told', async () => {
    const task = (await house.admin.tasks('alone')).find(({ containerId }) => containerId === id);
    return task?.state === 'running' && task.restarts === 2 ? task : undefined;
  });
  expect(told.id).toBe(victim?.task.id);
  await removeStack('alone');
});

test('tasks of a host that is away are replaced after its lease, and stop there when it returns', async () => {
  const more = ['x-berth: { on_disconnect: "replace-after 1s" }'];
  await house.ok('apply', '-f', await file('moved', { replicas: 2, more }), '--wait');
  const before = await house.running('moved', 2);
  const lost = before.find(({ task }) => task.host?.name === 'beta');
  const beta = house.host('beta');
  await house.stage.plug(beta, false);
  try {
    const onAlpha = async (): Promise<true | undefined> =>
      [...hostsOf(await house.running('moved', 2))].join() === 'alpha' ? true : undefined;
    await house.until('both tasks to run on alpha', onAlpha, 90_000);
    expect(await firstProcess(lost?.task.containerId ?? '')).toBe(lost?.pid);
  } finally {
    await house.stage.plug(beta, true);
  }
  await house.untilReady();
  await house.untilGone([lost?.task.containerId]);
  expect(hostsOf(await house.running('moved', 2))).toEqual(new Set(['alpha']));
  const kinds = (await house.admin.events()).map(
    ({ kind, subject }) => `${kind} ${subject['host'] ?? subject['task']}`,
  );
  expect(kinds).toEqual(expect.arrayContaining(['host.disconnected beta', 'host.down beta', 'host.connected beta']));
  expect(kinds).toContain(`task.orphaned ${lost?.task.id}`);
  await removeStack('moved');
});

test('every event says what caused it', async () => {
  const events = await house.admin.events();
  const causes = new Map(events.map((event) => [event.kind, causeOf(event)]));
  expect(Object.fromEntries(causes)).toMatchObject({
    'host.joined': 'host',
    'stack.applied': 'token admin',
    'service.scaled': 'token admin',
    'stack.removed': 'token admin',
    'task.created': 'rule converge',
    'task.running': 'host',
    'host.down': 'rule lease',
    'task.orphaned': 'rule on_disconnect',
  });
  expect(events.every(({ message, atMs }) => message !== '' && atMs > 0)).toBe(true);
});

function causeOf({ cause }: EventView): string {
  switch (cause.kind) {
    case 'token':
      return `token ${cause.name}`;
    case 'system':
      return `rule ${cause.rule}`;
    case 'host':
      return 'host';
    default:
      return cause satisfies never;
  }
}
