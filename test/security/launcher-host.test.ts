import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, openSync, closeSync, copyFileSync, rmSync, statSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { binary, isAlive, Laboratory } from '../launcher/fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

test('CVE-2019-5736: shim and spawner run from a sealed memfd, not from a file of the host', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  const program = parentOf(shim.pid);
  for (const pid of [program, parentOf(program)]) {
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe('/memfd:berth-launcher (deleted)');
    expect(() => openSync(`/proc/${pid}/exe`, 'r+')).toThrow(/ETXTBSY|EPERM|EACCES/);
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const flags = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      const mode = Number.parseInt(/^flags:\s+(\d+)$/m.exec(flags)?.[1] ?? '0', 8);
      const writable = (mode & 3) !== 0;
      const harmless = !writable || !target.startsWith('/') || target === '/dev/null';
      expect(harmless || target.endsWith('/state/container.log') ? '' : target).toBe('');
      expect(Number(fd) <= 2 || (mode & 0o2000000) !== 0 ? '' : `${target} is inherited`).toBe('');
    }
  }
  await shim.signal(9);
  await shim.exit;
});

test('CVE-2019-5736: launcher processes are not dumpable: whose group they have may not look into them', async () => {
  // Files in /proc of a process that may not be looked into belong to root, not to its user and group (proc(5)).
  const child = spawn(binary, ['spawner'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'], gid: 12345 });
  const ended = once(child, 'exit');
  const socket = child.stdio[3];
  if (!(socket instanceof Socket)) throw new Error('no socket');
  await once(socket, 'data'); // it is ready
  expect(statSync(`/proc/${child.pid}/environ`).gid).toBe(0);
  socket.destroy();
  await ended;
});

test('a container cannot write to the launcher through the /proc of its own first process', async () => {
  const { stdout } = await laboratory.run('readlink /proc/1/exe; (echo x > /proc/1/exe) 2>&1; true');
  expect(stdout).toMatch(/^\/bin\/busybox\n/);
});

test('CVE-2024-21626: only the standard streams are open, in the first process and in an exec', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  expect(readdirSync(`/proc/${shim.pid}/fd`)).toEqual(['0', '1', '2']);
  await using session = await shim.exec({
    args: ['sleep', '1000'],
    env: ['PATH=/bin'],
    cwd: '/',
    user: '',
    terminal: true,
    stdin: true,
  });
  expect(readdirSync(`/proc/${session.pid}/fd`).filter((fd) => Number(fd) > 2)).toEqual([]);
  await shim.signal(9);
  await shim.exit;
});

test.each(['/proc/self/fd/3', '/proc/self/fd/7/../../..', '/proc/self/fd/9', '/proc/1/root/../..', '../../../..'])(
  'CVE-2024-21626: a working directory of %s is refused or inside',
  async (cwd) => {
    const change = {
      spec: (spec: Awaited<ReturnType<Laboratory['request']>>['spec']) => ({
        ...spec,
        process: { ...spec.process, cwd },
      }),
    };
    const request = await laboratory.request('ls /bin/busybox; ls ../../../..; readlink /proc/self/cwd', change);
    const seen = await laboratory.launcher.launch(request).then(
      async (shim) => {
        await shim.exit;
        await shim[Symbol.asyncDispose]();
        return readFileSync(`${request.stateDirectory}/container.log`, 'utf8');
      },
      (error: unknown) => (error as { code?: string }).code,
    );
    expect(seen).not.toContain('boot');
    const running = await laboratory.request('exec sleep 1000');
    await using host = await laboratory.launcher.launch(running);
    const exec = host.exec({ args: ['ls'], env: ['PATH=/bin'], cwd, user: '', terminal: false, stdin: false });
    const outcome = await exec.then(async (session) => {
      let text = '';
      for await (const chunk of session.stdout) text += String(chunk);
      return text;
    }, String);
    expect(outcome).not.toContain('boot');
    await host.signal(9);
    await host.exit;
  },
);

test('CVE-2024-21626: no descriptor that the launcher has at that moment serves as working directory', async () => {
  const numbers = Array.from({ length: 40 }, (_, index) => index);
  const seen = await Promise.all(
    numbers.map(async (fd) => {
      const request = await laboratory.request('pwd -P', {
        spec: (spec) => ({ ...spec, process: { ...spec.process, cwd: `/proc/self/fd/${fd}` } }),
      });
      return laboratory.launcher.launch(request).then(
        async (shim) => {
          await shim.exit;
          await shim[Symbol.asyncDispose]();
          return `descriptor ${fd} was entered`;
        },
        (error: unknown) => (error as { code?: string }).code,
      );
    }),
  );
  expect([...new Set(seen)]).toEqual(['launch.failed']);
});

test('CVE-2020-15257: the shim listens in its 0700 state directory, never in the abstract namespace', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  expect(readFileSync('/proc/net/unix', 'utf8')).not.toMatch(/ @[^\n]*(shim|berth)/);
  expect(statSync(`${request.stateDirectory}/shim.sock`).mode & 0o077).toBe(0);
  await shim.signal(9);
  await shim.exit;
});

test('CVE-2020-15257: the shim closes a connection whose peer is neither root nor its own user', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  const { chmodSync } = await import('node:fs');
  // As if every file permission had failed.
  const directories = [
    laboratory.directory,
    `${laboratory.directory}/containers`,
    `${request.stateDirectory}/..`,
    request.stateDirectory,
  ];
  for (const directory of directories) chmodSync(directory, 0o777);
  chmodSync(`${request.stateDirectory}/shim.sock`, 0o777);
  const attempt = `
    const socket = require('node:net').connect('shim.sock');
    socket.on('connect', () => { const hello = Buffer.alloc(12); hello.writeUInt32LE(1, 4); socket.write(hello); });
    let got = 0; socket.on('data', (chunk) => { got += chunk.length; socket.destroy(); });
    socket.on('error', () => {}); socket.on('close', () => { console.log('answered ' + got); });`;
  // A copy: another user may not be able to reach the one in this checkout.
  const program = `${laboratory.directory}/node`;
  copyFileSync(process.execPath, program);
  const child = spawn(program, ['-e', attempt], { cwd: request.stateDirectory, uid: 12345, gid: 12345 });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await once(child, 'close');
  rmSync(program);
  expect(out).toBe('answered 0\n');
  for (const directory of directories) chmodSync(directory, 0o700);
  await shim.signal(9);
  await shim.exit;
});

test('CVE-2021-43784: a shim closes a connection that announces more than it takes, and lives on', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  for (const header of [
    [0xffff_ffff, 5, 1],
    [256 * 1024, 1, 1],
    [4, 99, 1],
    [8, 5, 1],
    [0, 3, 1],
  ]) {
    const fd = openSync(request.stateDirectory, 'r');
    const socket = connect(`/proc/self/fd/${fd}/shim.sock`);
    const bytes = Buffer.alloc(12 + 8);
    header.forEach((value, index) => bytes.writeUInt32LE(value, index * 4));
    let isClosed = false;
    socket.on('close', () => (isClosed = true));
    socket.on('error', () => {});
    socket.on('data', () => socket.destroy()); // or it is answered with an error
    socket.write(bytes);
    try {
      await expect.poll(() => isClosed, { timeout: 10_000 }).toBe(true);
    } finally {
      socket.destroy();
      closeSync(fd);
    }
  }
  expect(isAlive(shim.pid)).toBe(true);
  await shim.signal(9);
  expect((await shim.exit).exitCode).toBe(137);
});

test('CVE-2021-43784: the spawner ends at a message over its limit instead of reading it', async () => {
  const child = spawn(binary, ['spawner'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const socket = child.stdio[3];
  if (!(socket instanceof Socket)) throw new Error('no socket');
  const header = Buffer.alloc(12);
  header.writeUInt32LE(0x7fff_ffff, 0);
  header.writeUInt32LE(1, 4);
  socket.on('error', () => {});
  socket.write(header);
  try {
    await expect.poll(() => child.exitCode, { timeout: 10_000 }).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});
