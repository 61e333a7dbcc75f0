import { readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';

const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;

beforeAll(async () => {
  engine = stack.use(await EngineUnderTest.runner(['--userns-remap', 'default', '--init']));
});
afterAll(() => stack.disposeAsync());

const firstId = '1879048192';
const docker = (...args: readonly string[]): Promise<Outcome> => engine.run({ args });

async function running(...options: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await docker('run', '-d', ...options, 'busybox', 'sleep', '1000');
  expect([exit, stderr]).toEqual([0, '']);
  return stdout.trim();
}

const pidOf = async (id: string): Promise<string> =>
  (await docker('inspect', '-f', '{{.State.Pid}}', id)).stdout.trim();

test('every container has a user namespace, an init, a network, a terminal and its own files', async () => {
  const script =
    'id -u; touch /tmp/x /root/y; stat -c %u:%a /tmp/x /bin/sh /dev/null; wget -q -O - http://127.0.0.1:80/';
  const { exit, stdout, stderr } = await docker(
    'run',
    '--rm',
    '-p',
    '0:80',
    'busybox',
    'sh',
    '-c',
    `
    echo page > /tmp/index.html; httpd -h /tmp -p 80; ${script}; cat /proc/1/comm /proc/self/uid_map`,
  );
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^0\n0:644\n0:755\n\d+:666\n/);
  expect(stdout).toMatch(/docker-init\n +0 +1879048192 +65536\n$/);
  expect([exit, stdout]).toEqual([0, expect.stringContaining('\npage\n')]);
  const terminal = await engine.run({
    args: ['run', '--rm', '-t', 'busybox', 'sh', '-c', 'tty; stty size'],
    terminal: true,
  });
  expect(terminal.stdout).toContain('/dev/pts/0');
});

test('its processes are nobody on the host, also those of an exec', async () => {
  const id = await running();
  expect(readFileSync(`/proc/${await pidOf(id)}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\t${firstId}\\t`, 'm'));
  const { stdout } = await docker('exec', id, 'sh', '-c', 'cat /proc/self/uid_map; readlink /proc/self/ns/user');
  expect(stdout).toContain(firstId);
  expect(stdout).not.toContain(readlinkSync('/proc/self/ns/user'));
  await docker('rm', '-f', id);
});

test('the host’s own is had on request, where a container can be privileged', async () => {
  const inside = await docker(
    'run',
    '--rm',
    '--userns',
    'host',
    '--privileged',
    'busybox',
    'readlink',
    '/proc/self/ns/user',
  );
  expect(inside.stdout.trim()).toBe(readlinkSync('/proc/self/ns/user'));
  const refused = await docker('run', '--rm', '--privileged', 'busybox', 'true');
  expect(refused.stderr).toContain('privileged mode is incompatible with user namespaces.');
  expect((await docker('info', '-f', '{{.SecurityOptions}}')).stdout).toContain('name=userns');
});

test('namespaces are shared within one user namespace, and not across', async () => {
  const owner = await running('--ipc', 'shareable');
  const of = `container:${owner}`;
  const guest = await running('--pid', of, '--ipc', of, '--network', of);
  for (const type of ['pid', 'ipc', 'net', 'user']) {
    expect(readlinkSync(`/proc/${await pidOf(guest)}/ns/${type}`)).toBe(
      readlinkSync(`/proc/${await pidOf(owner)}/ns/${type}`),
    );
  }
  const { stderr } = await docker('run', '--rm', '--userns', 'host', '--pid', `container:${owner}`, 'busybox', 'true');
  expect(stderr).toContain('has another user namespace');
  await docker('rm', '-f', guest, owner);
});

test('a volume is its root’s, and stays so in the next container; /dev/shm that is shared has its size', async () => {
  const write = await docker(
    'run',
    '--rm',
    '-v',
    'kept:/data',
    'busybox',
    'sh',
    '-c',
    'echo x > /data/f; chown 5 /data/f',
  );
  expect([write.exit, write.stderr]).toEqual([0, '']);
  const { stdout } = await docker('run', '--rm', '-v', 'kept:/data', 'busybox', 'stat', '-c', '%u', '/data', '/data/f');
  expect(stdout).toBe('0\n5\n');
  await docker('volume', 'rm', 'kept');
  const shared = await docker(
    'run',
    '--rm',
    '--ipc',
    'shareable',
    '--shm-size',
    '1m',
    'busybox',
    'df',
    '-k',
    '/dev/shm',
  );
  expect(shared.stdout).toMatch(/^shm +1024 /m);
});

test('--init=false of a container outdoes the runner', async () => {
  const { stdout } = await docker('run', '--rm', '--init=false', 'busybox', 'cat', '/proc/1/comm');
  expect(stdout).toBe('cat\n');
});
