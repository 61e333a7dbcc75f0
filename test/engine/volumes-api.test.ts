import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../support/stage/command.ts';
import { hasClient28 } from '../support/docker-client.ts';
import { VolumeRoom } from './volume-room.ts';

let room: VolumeRoom;

beforeAll(async () => {
  room = await VolumeRoom.open();
});
afterAll(() => room[Symbol.asyncDispose]());

test.runIf(hasClient28)('a volume is made, shown, listed by filters and removed', async () => {
  expect(await room.docker('volume', 'create', '--label', 'a=b', 'first')).toBe('first');
  expect(await room.docker('volume', 'create', 'first')).toBe('first'); // the one that is there
  const anonymous = await room.docker('volume', 'create');
  expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
  expect(await room.inspected('first', '.')).toEqual({
    CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    Driver: 'local',
    Labels: { a: 'b' },
    Mountpoint: expect.stringMatching(/\/volumes\/first\/_data$/) as string,
    Name: 'first',
    Options: null,
    Scope: 'local',
  });
  expect(await room.inspected(anonymous, '.Labels')).toEqual({ 'com.docker.volume.anonymous': '' });
  expect(await room.volumeNames('label=a=b', 'name=fir', 'driver=local', 'dangling=true')).toEqual(['first']);
  expect(await room.volumeNames('label=a=c')).toEqual([]);
  expect(await room.volumeNames('dangling=false', 'name=first')).toEqual([]);
  expect(await room.docker('volume', 'rm', 'first', anonymous)).toBe(`first\n${anonymous}`);
  expect(await room.refusal('volume', 'inspect', 'first')).toBe('get first: no such volume');
  expect(await room.refusal('volume', 'rm', 'first')).toBe('get first: no such volume');
  expect(await room.docker('volume', 'rm', '-f', 'first')).toBe('first');
});

test.each([
  [['x'], 'create x: volume name is too short, names should be at least two alphanumeric characters'],
  [
    ['../x'],
    'create ../x: "../x" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ],
  [['-d', 'other', 'xx'], 'create xx: error looking up volume plugin other: plugin "other" not found'],
  [['-o', 'colour=red', 'xx'], 'create xx: invalid option: "colour"'],
  [['-o', 'type=tmpfs', 'xx'], 'create xx: missing required option: "device"'],
  [['-o', 'size=1g', 'xx'], 'create xx: quota size requested but no quota support'],
])('volume create %j is refused', async (args, text) => {
  expect(await room.refusal('volume', 'create', ...args)).toBe(text);
  expect(await room.volumeNames('name=xx')).toEqual([]);
});

test('one that is used is not removed; references are those of the containers', async () => {
  const id = await room.docker('create', '--name', 'user', '-v', 'used:/v', 'busybox', 'true');
  expect(await room.refusal('volume', 'rm', 'used')).toBe(`remove used: volume is in use - [${id}]`);
  expect(await room.refusal('volume', 'rm', '-f', 'used')).toBe(`remove used: volume is in use - [${id}]`);
  expect(await room.volumeNames('dangling=false', 'name=used')).toEqual(['used']);
  expect(await room.docker('ps', '-aq', '--no-trunc', '--filter', 'volume=used')).toBe(id);
  expect(await room.docker('ps', '-aq', '--no-trunc', '--filter', 'volume=/v')).toBe(id);
  expect(await room.docker('ps', '-aq', '--filter', 'volume=/other')).toBe('');
  expect(await room.docker('ps', '-a', '--filter', 'volume=used', '--format', '{{.Mounts}}')).toBe('used');
  await room.docker('rm', 'user');
  await room.docker('volume', 'rm', 'used');
});

test.runIf(hasClient28)('prune takes those without a name, or all; df tells their size', async () => {
  await room.inBusybox(['-v', 'kept:/v'], 'head -c 1000 /dev/zero > /v/f');
  const id = await room.docker('create', '-v', '/anonymous', 'busybox', 'true');
  expect(await room.docker('system', 'df', '-v')).toMatch(/\nkept +0 +1kB\n/);
  await room.docker('rm', id);
  const [left = ''] = (await room.volumeNames()).filter((name) => name.length === 64);
  expect(await room.docker('volume', 'prune', '-f')).toContain(`Deleted Volumes:\n${left}\n`);
  expect(await room.volumeNames()).toEqual(['kept']);
  expect(await room.docker('volume', 'prune', '-f', '-a', '--filter', 'label=none')).toBe('Total reclaimed space: 0B');
  const all = 'Deleted Volumes:\nkept\n\nTotal reclaimed space: 1kB';
  expect(await room.docker('volume', 'prune', '-f', '-a')).toBe(all);
});

test('cluster volumes need a swarm', async () => {
  const url = 'http://localhost/v1.45/volumes/x?version=1';
  const argv = [
    'curl',
    '-s',
    '-X',
    'PUT',
    '--unix-socket',
    room.engine.socketPath,
    '-w',
    ' %{http_code}',
    url,
  ] as const;
  const { stdout } = await run([...argv], { signal: AbortSignal.timeout(20_000) });
  expect(stdout).toMatch(/This node is not a swarm manager.* 503$/s);
});

test('events', async () => {
  const from = `${Date.now() / 1000}`;
  const id = await room.docker('create', '-v', 'told:/v:ro', 'busybox', 'true');
  await room.docker('start', '-a', id);
  await room.docker('rm', id);
  await room.docker('volume', 'rm', 'told');
  const format = '{{.Action}} {{json .Actor.Attributes}}';
  const until = `${Date.now() / 1000}`;
  const args = ['--since', from, '--until', until, '--filter', 'volume=told', '--format', format];
  const mounted = `"container":"${id}","destination":"/v","driver":"local","propagation":"","read/write":"false"`;
  expect((await room.docker('events', ...args)).split('\n')).toEqual([
    'create {"driver":"local"}',
    `mount {${mounted}}`,
    `unmount {"container":"${id}","driver":"local"}`,
    'destroy {"driver":"local"}',
  ]);
});
