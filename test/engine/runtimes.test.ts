import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';
import { call } from '../support/call-socket.ts';
import { hasClient28 } from '../support/docker-client.ts';
import { run as command } from '../support/stage/command.ts';

const installed = ['crun', 'runc'].filter((name) => existsSync(`/usr/bin/${name}`) || existsSync(`/usr/sbin/${name}`));
const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;

beforeAll(async () => {
  const [first = ''] = installed;
  const path = [`/usr/bin/${first}`, `/usr/sbin/${first}`].find((one) => existsSync(one));
  engine = stack.use(await EngineUnderTest.runner(path === undefined ? [] : ['--runtime', `named=${path}`]));
});
afterAll(() => stack.disposeAsync());

const docker = (...args: readonly string[]): Promise<Outcome> => engine.run({ args });

async function inspect<T>(reference: string, format: string): Promise<T> {
  const { stdout } = await docker('inspect', '-f', `{{json ${format}}}`, reference);
  return JSON.parse(stdout) as T;
}
const pidOf = (reference: string) => inspect<number>(reference, '.State.Pid');

/** A started container's id. */
async function started(...words: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await docker('run', '-d', ...words);
  expect([exit, stderr]).toEqual([0, '']);
  return stdout.trim();
}

/** Processes that say something of this container in their command line or cgroup: its shim's programs and its own. */
function processesOf(id: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return ['cmdline', 'cgroup'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(id));
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

/** The container's cgroup, while it runs. */
async function cgroupOf(id: string): Promise<string> {
  const text = readFileSync(`/proc/${await pidOf(id)}/cgroup`, 'utf8');
  const path = /^0::(.*)$/m.exec(text)?.[1] ?? '';
  return join(existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup', path);
}

test('the runtimes are told', async () => {
  const { stdout } = await docker('info', '-f', '{{range $name, $_ := .Runtimes}}{{$name}} {{end}}{{.DefaultRuntime}}');
  expect(stdout.trim().split(' ')).toEqual(expect.arrayContaining(['berth', 'runc', ...installed, 'berth']));
});

test('an unknown runtime is refused in the words of dockerd', async () => {
  const { exit, stderr } = await docker('run', '--rm', '--runtime', 'nosuch', 'busybox', 'true');
  expect([exit, stderr]).toEqual([125, expect.stringContaining('unknown or invalid runtime name: nosuch')]);
});

test.skipIf(installed.length === 0)('a runtime is known by the name that it was configured with', async () => {
  const id = await started('--runtime', 'named', 'busybox', 'sleep', '1000');
  expect(await inspect(id, '.HostConfig.Runtime')).toBe('named');
  expect((await docker('exec', id, 'true')).exit).toBe(0);
  await docker('rm', '-f', id);
});

describe.each(installed)('%s', (runtime) => {
  const run = (...words: readonly string[]) => docker('run', '--rm', '--runtime', runtime, ...words);

  test('runs a command: output, error output, exit code', async () => {
    const outcome = await run('busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7');
    expect(outcome).toEqual({ exit: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  test('is what made the container', async () => {
    const id = await started('--runtime', runtime, 'busybox', 'sleep', '1000');
    expect(await inspect(id, '.HostConfig.Runtime')).toBe(runtime);
    const state = join(await inspect<string>(id, '.LogPath'), '..');
    expect(readdirSync(join(state, 'runtime'))).toEqual([id]);
    expect(JSON.parse(readFileSync(join(state, 'bundle', 'config.json'), 'utf8'))).toMatchObject({
      process: { args: ['sleep', '1000'], user: { uid: 0, gid: 0 } },
    });
    await docker('rm', '-f', id);
  });

  test('takes standard input and a terminal', async () => {
    const args = ['run', '--rm', '-i', '--runtime', runtime, 'busybox', 'sh', '-c', 'tr a-z A-Z'];
    expect(await engine.run({ args, input: 'hello' })).toEqual({ exit: 0, stdout: 'HELLO', stderr: '' });
    const onTerminal = ['run', '--rm', '-t', '--runtime', runtime, 'busybox', 'sh', '-c', 'tty; exit 3'];
    expect(await engine.run({ args: onTerminal, terminal: true })).toMatchObject({
      exit: 3,
      stdout: expect.stringContaining('/dev/pts/0') as string,
    });
  });

  test.each([
    ['nosuch', 127, 'executable file not found in $PATH'],
    ['/no/such', 127, 'no such file or directory'],
    ['/etc', 126, 'permission denied'],
  ])('the command %s ends with %i', async (command, exit, text) => {
    const outcome = await run('busybox', command);
    expect(outcome).toMatchObject({ exit, stderr: expect.stringContaining(text) as string });
  });

  test('its processes have the user, the groups, the environment and the limits that were asked for', async () => {
    const options = [
      '-u',
      '12:34',
      '--group-add',
      '56',
      '-e',
      'A="b\\c"\n',
      '-w',
      '/new/place',
      '--ulimit',
      'nofile=99',
    ];
    const script = 'id -u; id -g; id -G; echo "$A"; pwd; ulimit -n; echo $HOME';
    const { stdout } = await run(...options, 'busybox', 'sh', '-c', script);
    expect(stdout).toBe('12\n34\n34 56\n"b\\c"\n\n/new/place\n99\n/\n');
    expect((await run('-u', 'nobody-here', 'busybox', 'true')).stderr).toContain('unable to find user nobody-here');
  });

  test('is given what keeps a container in: capabilities, system calls, read-only root, masks, devices', async () => {
    const status = 'grep -E "^(CapEff|Seccomp|NoNewPrivs):" /proc/self/status | tr "\\n" " "';
    const hardened = ['--cap-drop', 'ALL', '--cap-add', 'CHOWN', '--security-opt', 'no-new-privileges', '--read-only'];
    const { stdout } = await run(
      ...hardened,
      'busybox',
      'sh',
      '-c',
      `${status}; touch /x || echo refused; wc -c </proc/keys`,
    );
    expect(stdout).toMatch(/CapEff:\s+0000000000000001\s+NoNewPrivs:\s+1\s+Seccomp:\s+2\s+refused\n0\n/);
    // The disk of the host: its node can be made, but not be opened.
    const disk = 'mknod /tmp/disk b 254 0; head -c1 /tmp/disk';
    const { exit, stderr } = await run('busybox', 'sh', '-c', `mkdir -p /tmp; ${disk}`);
    expect(exit).not.toBe(0);
    expect(stderr).toContain('not permitted');
    expect((await run('--device', '/dev/null:/dev/nil', 'busybox', 'sh', '-c', 'echo x >/dev/nil')).exit).toBe(0);
  });

  test('has volumes, its own network and names', async () => {
    await docker('volume', 'create', `v-${runtime}`);
    await docker('network', 'create', `n-${runtime}`);
    const server = await started(
      ...['--runtime', runtime, '--network', `n-${runtime}`, '--name', `server-${runtime}`, '-v', `v-${runtime}:/data`],
      ...['busybox', 'sh', '-c', 'echo kept >/data/file; while :; do echo hello | nc -l -p 80; done'],
    );
    const client = ['--network', `n-${runtime}`, '-v', `v-${runtime}:/data:ro`, 'busybox', 'sh', '-c'];
    const script = `until nc -w 2 server-${runtime} 80 </dev/null | grep hello; do sleep 0.1; done; cat /data/file; touch /data/x 2>/dev/null || echo read-only`;
    const { stdout } = await run(...client, script);
    expect(stdout).toBe('hello\nkept\nread-only\n');
    const shared = await run('--network', `container:${server}`, 'busybox', 'hostname', '-i');
    expect(shared.exit).toBe(0);
    expect((await run('--network', 'none', 'busybox', 'ls', '/sys/class/net')).stdout).toBe('lo\n');
    await docker('rm', '-f', server);
    await docker('network', 'rm', `n-${runtime}`);
    await docker('volume', 'rm', `v-${runtime}`);
  });

  test('execs: exit code, user, terminal, standard input, unknown command, many at once', async () => {
    const id = await started('--runtime', runtime, '-e', 'A=b', 'busybox', 'sleep', '1000');
    const exec = (...words: readonly string[]) => docker('exec', ...words);
    expect(await exec('-u', '5', id, 'sh', '-c', 'id -u; echo $A; echo e >&2; exit 9')).toEqual({
      exit: 9,
      stdout: '5\nb\n',
      stderr: 'e\n',
    });
    expect(await engine.run({ args: ['exec', '-i', id, 'cat'], input: 'in' })).toMatchObject({ exit: 0, stdout: 'in' });
    expect((await engine.run({ args: ['exec', '-t', id, 'tty'], terminal: true })).stdout).toContain('/dev/pts/');
    expect(await exec(id, 'nosuch')).toMatchObject({ exit: 127 });
    const capabilities = (await exec('--privileged', id, 'grep', 'CapEff', '/proc/self/status')).stdout;
    expect(capabilities).toMatch(/^CapEff:\s+[0-9a-f]{16}\n$/);
    expect(capabilities).not.toContain('00000000a80425fb');
    const many = await Promise.all(Array.from({ length: 6 }, (_, at) => exec(id, 'sh', '-c', `exit ${at}`)));
    expect(many.map(({ exit }) => exit)).toEqual([0, 1, 2, 3, 4, 5]);
    expect((await docker('top', id)).stdout.match(/sleep 1000/g)).toHaveLength(1);
    const state = join(await inspect<string>(id, '.LogPath'), '..');
    expect(readdirSync(join(state, 'bundle')).filter((name) => name.startsWith('exec-'))).toEqual([]);
    await docker('rm', '-f', id);
  });

  test('is paused, stopped by its signal, started again, restarted by its policy', async () => {
    const script = 'trap "echo stopped; exit 5" TERM; echo up; while :; do sleep 0.1; done';
    const id = await started('--runtime', runtime, 'busybox', 'sh', '-c', script);
    const logged = async () => (await docker('logs', id)).stdout;
    await expect.poll(logged).toBe('up\n'); // it has set its trap
    expect((await docker('pause', id)).exit).toBe(0);
    expect(await inspect(id, '.State.Status')).toBe('paused');
    await docker('unpause', id);
    await docker('stop', '-t', '60', id);
    expect(await inspect(id, '.State.ExitCode')).toBe(5);
    await docker('start', id);
    await expect.poll(logged).toBe('up\nstopped\nup\n');
    await docker('stop', '-t', '60', id);
    expect(await logged()).toBe('up\nstopped\nup\nstopped\n');
    await docker('rm', id);
    const again = await started('--runtime', runtime, '--restart', 'on-failure:2', 'busybox', 'false');
    await expect.poll(() => inspect(again, '.RestartCount')).toBe(2);
    await docker('rm', '-f', again);
  });

  test('a container outlives a kill of the runner, with its log, its execs and its end', async () => {
    const script = 'trap "exit 6" TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done';
    const id = await started('--runtime', runtime, 'busybox', 'sh', '-c', script);
    await expect.poll(async () => (await docker('logs', id)).stdout).toMatch(/^0\n/);
    const pid = await pidOf(id);
    await engine.crash();
    expect(await pidOf(id)).toBe(pid);
    expect((await docker('exec', id, 'sh', '-c', 'exit 4')).exit).toBe(4);
    await docker('stop', '-t', '60', id);
    expect(await inspect(id, '.State.ExitCode')).toBe(6);
    const lines = (await docker('logs', id)).stdout.trimEnd().split('\n');
    expect(lines).toEqual(lines.map((_, at) => String(at)));
    await docker('rm', id);
  });

  test.each([20, 60, 100])('a kill of the runner %i ms into a start leaves what can be started again', async (ms) => {
    const name = `killed-${runtime}-${ms}`;
    await docker('create', '--name', name, '--runtime', runtime, 'busybox', 'sleep', '1000');
    const id = await inspect<string>(name, '.Id');
    const start = docker('start', name);
    await delay(ms); // a moment, not a wait for something
    await engine.crash();
    await start;
    await docker('start', name);
    expect(await docker('exec', name, 'echo', 'runs')).toMatchObject({ exit: 0, stdout: 'runs\n' });
    await docker('rm', '-f', name);
    await expect.poll(() => processesOf(id)).toEqual([]);
  });

  test('when the shim is killed the container goes with it, and can be started again', async () => {
    const id = await started('--runtime', runtime, 'busybox', 'sleep', '1000');
    const first = await pidOf(id);
    const shim = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${first}/status`, 'utf8'))?.[1]);
    expect(readlinkSync(`/proc/${shim}/ns/mnt`)).not.toBe(readlinkSync('/proc/self/ns/mnt'));
    process.kill(shim, 'SIGKILL');
    await expect.poll(() => inspect(id, '.State.Running')).toBe(false);
    await expect.poll(() => existsSync(`/proc/${first}`)).toBe(false);
    await docker('start', id);
    expect(await docker('exec', id, 'echo', 'again')).toMatchObject({ stdout: 'again\n' });
    await docker('rm', '-f', id);
  });

  test('nothing is left of a container that was removed by force, and nothing of it was ever mounted on the host', async () => {
    const id = await started('--runtime', runtime, 'busybox', 'sh', '-c', 'sleep 1000 & exec sleep 1001');
    const cgroup = await cgroupOf(id);
    const directory = join(await inspect<string>(id, '.LogPath'), '..', '..');
    expect(existsSync(cgroup)).toBe(true);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(`${id}/state/bundle`);
    expect(processesOf(id).length).toBeGreaterThan(0);
    await docker('rm', '-f', id);
    await expect.poll(() => processesOf(id)).toEqual([]);
    const places = [cgroup, directory, `/run/${runtime}/${id}`];
    await expect.poll(() => places.filter((path) => existsSync(path))).toEqual([]);
  });

  test.runIf(hasClient28)('a part of a volume is mounted, and no link leads out of it', async () => {
    const script = 'mkdir -p /data/part; echo in >/data/part/file; ln -s ../../.. /data/part/out; ln -s / /data/root';
    await run('-v', `s-${runtime}:/data`, 'busybox', 'sh', '-c', script);
    const part = (path: string) => `type=volume,source=s-${runtime},target=/data,volume-subpath=${path}`;
    const seen = await run('--mount', part('part'), 'busybox', 'cat', '/data/file');
    expect(seen).toEqual({ exit: 0, stdout: 'in\n', stderr: '' });
    expect((await run('--mount', part('part/file'), 'busybox', 'cat', '/data')).stdout).toBe('in\n');
    for (const path of ['root', 'part/out'])
      expect(await run('--mount', part(path), 'busybox', 'ls', '/data')).toMatchObject({ stdout: 'part\nroot\n' });
    const nowhere = await run('--mount', part('nosuch'), 'busybox', 'true');
    expect(nowhere).toMatchObject({ exit: 127, stderr: expect.stringContaining('nosuch') as string });
    await docker('volume', 'rm', `s-${runtime}`);
  });

  test.runIf(hasClient28)(
    'mounts propagate from the host, and to it, as was asked for; read-only goes as deep as they do',
    async () => {
      await using mounted = new AsyncDisposableStack();
      const directory = await mkdtemp(join(tmpdir(), 'berth-propagation-'));
      mounted.defer(() => rm(directory, { recursive: true }));
      const signal = AbortSignal.timeout(60_000);
      const mount = async (...words: readonly string[]) => {
        await command(['mount', '-t', 'tmpfs', 'tmpfs', ...words], { signal });
        mounted.defer(async () => void (await command(['umount', '-l', words.at(-1) ?? ''], { signal })));
      };
      await mount(directory);
      await command(['mount', '--make-shared', directory], { signal });
      const ids: string[] = [];
      mounted.defer(async () => void (await docker('rm', '-f', ...ids)));
      for (const words of [['rslave'], ['rshared', '--privileged'], ['rprivate']]) {
        const [propagation = '', ...options] = words;
        const volume = ['-v', `${directory}:/peer:${propagation}`];
        ids.push(await started('--runtime', runtime, ...options, ...volume, 'busybox', 'sleep', '1000'));
      }
      await mkdir(join(directory, 'later'));
      await mount(join(directory, 'later'));
      const seen = await Promise.all(ids.map((id) => docker('exec', id, 'grep', '-c', ' /peer', '/proc/mounts')));
      expect(seen.map(({ stdout }) => stdout)).toEqual(['2\n', '2\n', '1\n']);
      const inside = 'mkdir /peer/inner && mount -t tmpfs tmpfs /peer/inner && echo x >/peer/inner/file';
      expect(await docker('exec', '--privileged', ids[1] ?? '', 'sh', '-c', inside)).toMatchObject({ exit: 0 });
      mounted.defer(async () => void (await command(['umount', '-l', join(directory, 'inner')], { signal })));
      expect(readFileSync(join(directory, 'inner', 'file'), 'utf8')).toBe('x\n');
      const readonly = await run('-v', `${directory}:/peer:ro`, 'busybox', 'sh', '-c', 'touch /peer/x /peer/later/x');
      expect(readonly.stderr.match(/Read-only file system/g)).toHaveLength(2);
    },
  );

  test('what it cannot do is refused, and says what can', async () => {
    const HostConfig = { Runtime: runtime, UsernsMode: 'private' };
    const name = `own-${runtime}`;
    const body = { Image: 'busybox', HostConfig };
    expect(await call(engine.socketPath, 'POST', `/containers/create?name=${name}`, body)).toMatchObject({
      status: 201,
    });
    const { exit, stderr } = await docker('start', name);
    expect([exit, stderr]).toEqual([1, expect.stringMatching(/user namespace.*--runtime berth/)]);
    await docker('rm', name);
  });
});
