import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';
import { run } from '../support/stage/command.ts';
import { writeBusyboxArchive } from './busybox-image.ts';
import { RemoteEngine } from './remote-engine.ts';

const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-volumes-'));
  stack.defer(() => rm(directory, { recursive: true }));
  engine = stack.use(await EngineUnderTest.runner());
  const archive = join(directory, 'image.tar');
  const files = [
    { name: 'data/', type: '5', mode: 0o2770, uid: 7, gid: 8 },
    { name: 'data/file', mode: 0o640, uid: 7, gid: 9, content: 'of the image\n', pax: { 'SCHILY.xattr.user.x': 'y' } },
    { name: 'data/link', type: '2', link: '../etc/passwd' },
  ];
  const config = { Volumes: { '/data': {}, '/declared': {} } };
  await writeFile(archive, dockerArchive([busyboxImage({ reference: 'with-volumes:1', config, files })]));
  await docker('load', '-q', '-i', archive);
});
afterAll(() => stack.disposeAsync());

async function outcome(...args: readonly string[]): Promise<Outcome> {
  return engine.run({ args });
}

/** What a command prints that succeeds. */
async function docker(...args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await outcome(...args);
  expect({ args, exit, stderr }).toEqual({ args, exit: 0, stderr: '' });
  return stdout.trim();
}

/** What the daemon says against it. */
async function refusal(...args: readonly string[]): Promise<string> {
  const { exit, stderr } = await outcome(...args);
  expect(exit).not.toBe(0);
  const [line = ''] = stderr.split('\n');
  return line.replace(/^docker: /, '').replace(/^Error response from daemon: /, '');
}

const inBusybox = (options: readonly string[], script: string): Promise<string> =>
  docker('run', '--rm', ...options, 'busybox', 'sh', '-c', script);
const inspected = async (name: string, format: string): Promise<unknown> =>
  JSON.parse(await docker('inspect', '-f', `{{json ${format}}}`, name));
const volumeNames = async (...filters: readonly string[]): Promise<readonly string[]> =>
  (await docker('volume', 'ls', '-q', ...filters.flatMap((filter) => ['--filter', filter])))
    .split('\n')
    .filter(Boolean);

describe('the volumes API', () => {
  test('a volume is made, shown, listed by filters and removed', async () => {
    expect(await docker('volume', 'create', '--label', 'a=b', 'first')).toBe('first');
    expect(await docker('volume', 'create', 'first')).toBe('first'); // the one that is there
    const anonymous = await docker('volume', 'create');
    expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
    expect(await inspected('first', '.')).toEqual({
      CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
      Driver: 'local',
      Labels: { a: 'b' },
      Mountpoint: expect.stringMatching(/\/volumes\/first\/_data$/) as string,
      Name: 'first',
      Options: null,
      Scope: 'local',
    });
    expect(await inspected(anonymous, '.Labels')).toEqual({ 'com.docker.volume.anonymous': '' });
    expect(await volumeNames('label=a=b', 'name=fir', 'driver=local', 'dangling=true')).toEqual(['first']);
    expect(await volumeNames('label=a=c')).toEqual([]);
    expect(await volumeNames('dangling=false', 'name=first')).toEqual([]);
    expect(await docker('volume', 'rm', 'first', anonymous)).toBe(`first\n${anonymous}`);
    expect(await refusal('volume', 'inspect', 'first')).toBe('get first: no such volume');
    expect(await refusal('volume', 'rm', 'first')).toBe('get first: no such volume');
    expect(await docker('volume', 'rm', '-f', 'first')).toBe('first');
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
    expect(await refusal('volume', 'create', ...args)).toBe(text);
    expect(await volumeNames('name=xx')).toEqual([]);
  });

  test('one that is used is not removed; references are those of the containers', async () => {
    const id = await docker('create', '--name', 'user', '-v', 'used:/v', 'busybox', 'true');
    expect(await refusal('volume', 'rm', 'used')).toBe(`remove used: volume is in use - [${id}]`);
    expect(await refusal('volume', 'rm', '-f', 'used')).toBe(`remove used: volume is in use - [${id}]`);
    expect(await volumeNames('dangling=false', 'name=used')).toEqual(['used']);
    expect(await docker('ps', '-aq', '--no-trunc', '--filter', 'volume=used')).toBe(id);
    expect(await docker('ps', '-aq', '--no-trunc', '--filter', 'volume=/v')).toBe(id);
    expect(await docker('ps', '-aq', '--filter', 'volume=/other')).toBe('');
    expect(await docker('ps', '-a', '--filter', 'volume=used', '--format', '{{.Mounts}}')).toBe('used');
    await docker('rm', 'user');
    await docker('volume', 'rm', 'used');
  });

  test('prune takes those without a name, or all; df tells their size', async () => {
    await inBusybox(['-v', 'kept:/v'], 'head -c 1000 /dev/zero > /v/f');
    const id = await docker('create', '-v', '/anonymous', 'busybox', 'true');
    expect(await docker('system', 'df', '-v')).toMatch(/\nkept +0 +1kB\n/);
    await docker('rm', id);
    const [left = ''] = (await volumeNames()).filter((name) => name.length === 64);
    expect(await docker('volume', 'prune', '-f')).toContain(`Deleted Volumes:\n${left}\n`);
    expect(await volumeNames()).toEqual(['kept']);
    expect(await docker('volume', 'prune', '-f', '-a', '--filter', 'label=none')).toBe('Total reclaimed space: 0B');
    const all = 'Deleted Volumes:\nkept\n\nTotal reclaimed space: 1kB';
    expect(await docker('volume', 'prune', '-f', '-a')).toBe(all);
  });

  test('cluster volumes need a swarm', async () => {
    const url = 'http://localhost/v1.45/volumes/x?version=1';
    const argv = ['curl', '-s', '-X', 'PUT', '--unix-socket', engine.socketPath, '-w', ' %{http_code}', url] as const;
    const { stdout } = await run([...argv], { signal: AbortSignal.timeout(20_000) });
    expect(stdout).toMatch(/This node is not a swarm manager.* 503$/s);
  });

  test('events', async () => {
    const from = `${Date.now() / 1000}`;
    const id = await docker('create', '-v', 'told:/v:ro', 'busybox', 'true');
    await docker('start', '-a', id);
    await docker('rm', id);
    await docker('volume', 'rm', 'told');
    const format = '{{.Action}} {{json .Actor.Attributes}}';
    const until = `${Date.now() / 1000}`;
    const args = ['--since', from, '--until', until, '--filter', 'volume=told', '--format', format];
    const mounted = `"container":"${id}","destination":"/v","driver":"local","propagation":"","read/write":"false"`;
    expect((await docker('events', ...args)).split('\n')).toEqual([
      'create {"driver":"local"}',
      `mount {${mounted}}`,
      `unmount {"container":"${id}","driver":"local"}`,
      'destroy {"driver":"local"}',
    ]);
  });
});

/** Whatever a test left, also one that failed. */
async function clear(): Promise<void> {
  const ids = (await docker('ps', '-aq')).split('\n').filter(Boolean);
  if (ids.length > 0) await docker('rm', '-f', ...ids);
  const names = await volumeNames();
  if (names.length > 0) await docker('volume', 'rm', ...names);
}

describe('what a container has mounted', () => {
  afterEach(clear);

  test('a new volume gets what the image has there, owners, modes and attributes kept', async () => {
    const script = 'stat -c "%a %u %g" /data /data/file; readlink /data/link; cat /data/file';
    const wanted = '2770 7 8\n640 7 9\n../etc/passwd\nof the image';
    expect(await docker('run', '--rm', '-v', 'copied:/data', 'with-volumes:1', 'sh', '-c', script)).toBe(wanted);
    const path = (await inspected('copied', '.Mountpoint')) as string;
    // Node cannot read an extended attribute.
    const program = 'import os, sys; print(os.getxattr(sys.argv[1], "user.x"))';
    const signal = AbortSignal.timeout(20_000);
    expect((await run(['python3', '-c', program, join(path, 'file')], { signal })).stdout).toBe("b'y'\n");
    // Only an empty one is filled.
    await docker('run', '--rm', '-v', 'copied:/data', 'with-volumes:1', 'rm', '/data/link');
    expect(await docker('run', '--rm', '-v', 'copied:/data', 'with-volumes:1', 'ls', '/data')).toBe('file');
    expect(await docker('run', '--rm', '-v', 'empty:/data:nocopy', 'with-volumes:1', 'ls', '/data')).toBe('');
    const mount = 'type=volume,source=empty2,target=/data,volume-nocopy';
    expect(await docker('run', '--rm', '--mount', mount, 'with-volumes:1', 'ls', '/data')).toBe('');
    await docker('volume', 'rm', 'copied', 'empty', 'empty2');
  });

  test('volumes of the image are anonymous, unless something else is mounted there', async () => {
    const id = await docker('create', '-v', '/own', '-v', 'named:/declared', 'with-volumes:1', 'true');
    const mounts = (await inspected(id, '.Mounts')) as readonly { Name: string; Destination: string; Mode: string }[];
    expect(mounts.map(({ Name, Destination }) => [Destination, Name.length])).toEqual([
      ['/declared', 5],
      ['/data', 64],
      ['/own', 64],
    ]);
    expect(await inspected(id, '.Config.Volumes')).toEqual({ '/data': {}, '/declared': {}, '/own': {} });
    expect(await inspected(id, '.HostConfig.Binds')).toEqual(['named:/declared']);
    await docker('rm', '-v', id);
    expect(await volumeNames()).toEqual(['named']);
    await docker('run', '--rm', 'with-volumes:1', 'true');
    expect(await volumeNames()).toEqual(['named']);
    await docker('volume', 'rm', 'named');
  });

  test('rm without -v keeps the anonymous ones', async () => {
    await docker('rm', await docker('create', '-v', '/x', 'busybox', 'true'));
    const names = await volumeNames();
    expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    await docker('volume', 'rm', ...names);
  });

  test('a directory of the host, which -v makes and --mount does not', async () => {
    const source = join(directory, 'host');
    await mkdir(source);
    expect(await inBusybox(['-v', `${source}:/h`], 'echo hello > /h/f; cat /h/f')).toBe('hello');
    expect(await readFile(join(source, 'f'), 'utf8')).toBe('hello\n');
    expect(await inBusybox(['-v', `${source}:/h:ro`], 'touch /h/g 2>&1; true')).toContain('Read-only file system');
    const readonly = `type=bind,source=${source},target=/h,readonly`;
    expect(await inBusybox(['--mount', readonly], 'touch /h/g 2>&1; true')).toContain('Read-only file system');
    expect(await inBusybox(['-v', `${source}/f:/etc/made/up`], 'cat /etc/made/up')).toBe('hello');
    expect(await inBusybox(['-v', `${directory}/made/here:/h`], 'touch /h/g; ls /h')).toBe('g');
    const missing = join(directory, 'missing');
    expect(await refusal('run', '--mount', `type=bind,source=${missing},target=/h`, 'busybox')).toBe(
      `invalid mount config for type "bind": bind source path does not exist: ${missing}`,
    );
    expect(await readdir(directory)).not.toContain('missing');
    const id = await docker('create', '-v', `${source}/.:/h/:ro`, 'busybox', 'true');
    expect(await inspected(id, '.Mounts')).toEqual([
      { Type: 'bind', Source: source, Destination: '/h', Mode: 'ro', RW: false, Propagation: 'rprivate' },
    ]);
    await docker('rm', id);
  });

  test('tmpfs, by both ways, and /dev/shm', async () => {
    const shown = (path: string) => `stat -c %a ${path}; grep ' ${path} ' /proc/mounts`;
    expect(await inBusybox(['--tmpfs', '/t:size=2m,exec,mode=700'], shown('/t'))).toMatch(
      /^700\ntmpfs \/t tmpfs rw,nosuid,nodev,relatime,size=2048k,mode=700/,
    );
    const mount = 'type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=750';
    expect(await inBusybox(['--mount', mount], shown('/t'))).toMatch(
      /^750\ntmpfs \/t tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=750/,
    );
    expect(await inBusybox(['--shm-size', '3m'], shown('/dev/shm'))).toMatch(/size=3072k/);
    expect(await inBusybox(['--tmpfs', '/dev/shm:size=4m'], `${shown('/dev/shm')} | wc -l`)).toBe('1777\n1');
    expect(await inBusybox(['-v', `${directory}:/dev/shm`], 'ls /dev/shm/image.tar')).toBe('/dev/shm/image.tar');
    expect(await inBusybox(['-v', '/t', '--tmpfs', '/t'], 'grep -c " /t " /proc/mounts')).toBe('1');
  });

  test('parents are mounted before what lies in them', async () => {
    const binds = ['-v', `${directory}:/a/b`, '-v', 'outer:/a', '--tmpfs', '/a/b/c'];
    await mkdir(join(directory, 'c'));
    const script = 'ls /a /a/b/image.tar; grep -c " /a/b/c tmpfs" /proc/mounts';
    expect(await inBusybox(binds, script)).toBe('/a/b/image.tar\n\n/a:\nb\n1');
    await docker('volume', 'rm', 'outer');
  });

  test('mounts of another container', async () => {
    const bound = `${directory}:/h:ro`;
    const id = await docker(
      'create',
      '--name',
      'giver',
      '-v',
      'given:/g',
      '-v',
      bound,
      '-v',
      '/anon',
      'busybox',
      'true',
    );
    const taker = await docker('create', '--volumes-from', 'giver:ro', 'busybox', 'true');
    expect(await inspected(taker, '.HostConfig.VolumesFrom')).toEqual(['giver:ro']);
    const [own, taken] = (await Promise.all([id, taker].map((one) => inspected(one, '.Mounts')))) as {
      Source: string;
      Destination: string;
      RW: boolean;
    }[][];
    expect(taken?.map(({ Source, Destination }) => [Source, Destination])).toEqual(
      own?.map(({ Source, Destination }) => [Source, Destination]),
    );
    expect(taken?.map(({ RW }) => RW)).toEqual([false, false, false]);
    // The anonymous one is used by the other still.
    await docker('rm', '-v', taker);
    expect(await volumeNames()).toHaveLength(2);
    await docker('rm', '-v', id);
    expect(await volumeNames()).toEqual(['given']);
    await docker('volume', 'rm', 'given');
  });

  test('driver options: tmpfs and bind, mounted while a container runs', async () => {
    const options = (text: string) => text.split(' ').flatMap((option) => ['-o', option]);
    await docker('volume', 'create', ...options('type=tmpfs device=tmpfs o=size=3m'), 'memory');
    await docker('volume', 'create', ...options(`type=none device=${directory} o=bind`), 'elsewhere');
    await docker('volume', 'create', ...options(`type=none device=${directory}/no o=bind`), 'nowhere');
    const path = (await inspected('memory', '.Mountpoint')) as string;
    const isMounted = async () => (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${path} `);
    const id = await docker('run', '-d', '-v', 'memory:/m', 'busybox', 'sleep', '1000');
    expect(await isMounted()).toBe(true);
    await docker('exec', id, 'touch', '/m/here');
    expect(await inBusybox(['-v', 'memory:/m'], 'ls /m; grep " /m " /proc/mounts')).toMatch(/^here\n.*size=3072k/);
    expect(await isMounted()).toBe(true);
    await docker('rm', '-f', id);
    expect(await isMounted()).toBe(false);
    expect(await inBusybox(['-v', 'elsewhere:/e'], 'ls /e/image.tar')).toBe('/e/image.tar');
    const target = path.replace('memory', 'nowhere');
    expect(await refusal('run', '--rm', '-v', 'nowhere:/n', 'busybox', 'true')).toBe(
      `error while mounting volume '${target}': failed to mount local volume: mount ${directory}/no:${target}, flags: 0x1000: no such file or directory`,
    );
    await docker('volume', 'rm', 'memory', 'elsewhere', 'nowhere');
    expect(await readdir(directory)).toContain('image.tar');
  });

  test('files are copied into a volume of a container that does not run, and out of it', async () => {
    const id = await docker('create', '-v', 'copied:/c', '-v', `${directory}:/h:ro`, 'busybox', 'true');
    await docker('cp', join(directory, 'image.tar'), `${id}:/c/in.tar`);
    expect(await inBusybox(['-v', 'copied:/c'], 'ls /c')).toBe('in.tar');
    await docker('cp', `${id}:/h/image.tar`, join(directory, 'out.tar'));
    expect(await readdir(directory)).toContain('out.tar');
    expect((await outcome('cp', join(directory, 'image.tar'), `${id}:/h/no.tar`)).stderr).toContain('read-only');
  });

  test('a part of a volume', async () => {
    await inBusybox(['-v', 'whole:/v'], 'mkdir -p /v/a/b; touch /v/a/b/c');
    const mount = 'type=volume,source=whole,target=/part,volume-subpath=a/b';
    expect(await inBusybox(['--mount', mount], 'ls /part')).toBe('c');
    await docker('volume', 'rm', 'whole');
  });

  test.each([
    [
      ['-v', 'vv:/x/..'],
      `invalid volume specification: 'vv:/x/..': invalid mount config for type "volume": invalid specification: destination can't be '/'`,
    ],
    [
      ['-v', '/tmp:x'],
      `invalid volume specification: '/tmp:x': invalid mount config for type "bind": invalid mount path: 'x' mount path must be absolute`,
    ],
    [['-v', '/tmp:/x:odd'], 'invalid mode: odd'],
    [['-v', '/tmp:/x', '-v', '/etc:/x'], 'Duplicate mount point: /x'],
    [['-v', '/tmp:/x', '--mount', 'type=tmpfs,target=/x'], 'Duplicate mount point: /x'],
    [['-v', '/tmp:/x', '--tmpfs', '/x'], 'Duplicate mount point: /x'],
    [['--tmpfs', '/'], "invalid specification: destination can't be '/'"],
    [['--tmpfs', '/t:odd'], 'invalid tmpfs option ["odd"]'],
    [['-v', '/etc/passwd'], 'cannot mount volume over existing file, file exists /etc/passwd'],
    [['-v', 'named:/etc/passwd'], 'source /etc/passwd is not directory'],
    [['--volumes-from', 'nobody'], 'No such container: nobody'],
    [['--storage-opt', 'size=1g'], "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"],
    [
      ['-v', 'a/b:/x'],
      'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
  ])('run %j is refused', async (options, text) => {
    expect(await refusal('run', '--rm', ...options, 'busybox', 'true')).toBe(text);
    expect(await volumeNames()).toEqual([]);
  });

  test.each([
    ['/tmp', '/etc/passwd'],
    ['/proc/version', '/etc'],
  ])('%s upon %s: a directory upon a file, or the other way round', async (source, target) => {
    expect(await refusal('run', '--rm', '-v', `${source}:${target}`, 'busybox', 'true')).toMatch(
      /rootfs at "\/etc(\/passwd)?": .*not a directory: unknown: Are you trying to mount a directory onto a file \(or vice-versa\)\? Check if/,
    );
  });

  test('/proc and /sys stay as they are', async () => {
    expect(await refusal('run', '--rm', '-v', `${directory}:/proc/self/attr`, 'busybox', 'true')).toContain(
      `error mounting "${directory}" to rootfs at "/proc/self/attr": "/proc/self/attr" cannot be mounted because it is inside /proc`,
    );
    expect(await refusal('run', '--rm', '-v', `${directory}:/sys/kernel`, 'busybox', 'true')).toContain(
      'cannot be mounted because it is inside /sys',
    );
  });

  test('propagation follows a mount that the host shares', async () => {
    const shared = join(directory, 'shared');
    await mkdir(shared);
    expect(await refusal('run', '--rm', '-v', `${shared}:/peer:rshared`, 'busybox', 'true')).toMatch(
      new RegExp(`^path ${shared} is mounted on .* but it is not a shared mount$`),
    );
    const signal = AbortSignal.timeout(60_000);
    await run(['mount', '-t', 'tmpfs', 'tmpfs', shared], { signal });
    try {
      await run(['mount', '--make-shared', shared], { signal });
      const names = ['rslave', 'rshared', 'rprivate'];
      const ids: string[] = [];
      for (const name of names)
        ids.push(await docker('run', '-d', '-v', `${shared}:/peer:${name}`, 'busybox', 'sleep', '1000'));
      await mkdir(join(shared, 'later'));
      await run(['mount', '-t', 'tmpfs', 'tmpfs', join(shared, 'later')], { signal });
      try {
        const seen: string[] = [];
        for (const id of ids) seen.push(await docker('exec', id, 'grep', '-c', ' /peer', '/proc/mounts'));
        expect(seen).toEqual(['2', '2', '1']);
      } finally {
        await docker('rm', '-f', ...ids);
        await run(['umount', join(shared, 'later')], { signal });
      }
    } finally {
      await run(['umount', shared], { signal });
    }
  });
});

/** Anonymous volumes that no container uses, and directories without a volume. */
async function volumesOfNobody(remote: RemoteEngine, data: string): Promise<readonly string[]> {
  const containers = await remote.call('list');
  const names = (await remote.call('volumes')).map(({ name }) => name);
  const directories = await readdir(join(data, 'volumes'));
  const used = new Set(
    containers.flatMap((record) => record.config.mounts.flatMap((mount) => ('name' in mount ? [mount.name] : []))),
  );
  return [
    ...names.filter((name) => name.startsWith('anonymous') && !used.has(name)),
    ...directories.filter((name) => !names.includes(name)),
  ];
}

test('kill -9 while containers with volumes come and go leaves no volume of nobody', async () => {
  await using own = new AsyncDisposableStack();
  const host = own.use(await NetworkNamespace.create());
  const data = join(directory, 'data');
  const archive = join(directory, 'rootfs.tar');
  await writeBusyboxArchive(archive);
  let imageId = '';
  const config = (count: number) => ({
    ...{ name: `c${count}`, image: 'busybox:1', imageId, args: ['/bin/true'], environment: [], labels: {}, ports: [] },
    ...{ workingDirectory: '', user: '', hostname: '', restart: { kind: 'no' }, publishGroup: `c${count}` },
    mounts: [
      { kind: 'volume', name: `anonymous${count}`, destination: '/etc', anonymous: true },
      { kind: 'volume', name: `named${count % 3}`, destination: '/n' },
    ],
    autoRemove: count % 2 === 0,
  });
  own.defer(async () => {
    await using last = await RemoteEngine.start(host.name, data);
    for (const { id } of await last.call('list')) await last.call('remove', id, { force: true }).catch(() => undefined);
    await last.call('clear');
  });
  let count = 0;
  for (let round = 0; round < 8; round += 1) {
    await using remote = await RemoteEngine.start(host.name, data);
    imageId ||= (await remote.call('load', archive, 'busybox:1'))[0]?.id ?? '';
    await expect.poll(() => volumesOfNobody(remote, data)).toEqual([]);
    const work = [1, 2].map(async () => {
      for (;;) {
        count += 1;
        const { id } = await remote.call('create', config(count));
        await remote.call('start', id).catch(() => undefined);
        await remote.call('remove', id, { force: true, volumes: true }).catch(() => undefined);
      }
    });
    const ended = work.map((one) => one.catch(() => undefined));
    await delay(120 + round * 35); // a moment of its own in each round
    await remote.kill();
    await Promise.all(ended);
  }
  await using remote = await RemoteEngine.start(host.name, data);
  await expect.poll(() => volumesOfNobody(remote, data)).toEqual([]);
  expect(count).toBeGreaterThan(20);
});

test('leaving with what a killed runner had mounted takes the mounts away, and nothing of what they showed', async () => {
  await using own = new AsyncDisposableStack();
  const host = own.use(await NetworkNamespace.create());
  const [data, shown] = [join(directory, 'left'), join(directory, 'shown')];
  await mkdir(shown);
  await writeFile(join(shown, 'kept'), 'of the host');
  const archive = join(directory, 'rootfs-left.tar');
  await writeBusyboxArchive(archive);
  const remote = own.use(await RemoteEngine.start(host.name, data));
  const [image] = await remote.call('load', archive, 'busybox:1');
  await remote.call('createVolume', {
    name: 'held',
    options: { type: 'none', o: 'bind', device: shown },
    labels: null,
  });
  await remote.call('createVolume', { name: 'memory', options: { type: 'tmpfs', device: 'tmpfs' }, labels: null });
  const { id } = await remote.call('create', {
    ...{ name: 'user', image: 'busybox:1', imageId: image?.id, args: ['sleep', '1000'], environment: [], labels: {} },
    ...{ workingDirectory: '', user: '', hostname: '', restart: { kind: 'no' }, publishGroup: 'user', ports: [] },
    mounts: [
      { kind: 'volume', name: 'held', destination: '/held' },
      { kind: 'volume', name: 'memory', destination: '/memory' },
    ],
  });
  await remote.call('start', id);
  const mounted = async (): Promise<number> =>
    (await readFile('/proc/mounts', 'utf8')).split(`${data}/volumes/`).length - 1;
  expect(await mounted()).toBe(2);
  await remote.kill();
  const program = [process.execPath, join(import.meta.dirname, '../../bin/main.ts'), 'runner', 'leave'];
  const left = await run([
    'nsenter',
    `--net=/run/netns/${host.name}`,
    ...program,
    '--all',
    '--purge',
    '--data-root',
    data,
  ]);
  expect(left).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('removed the data root') });
  expect(await mounted()).toBe(0);
  expect(await readdir(directory)).not.toContain('left');
  expect(await readFile(join(shown, 'kept'), 'utf8')).toBe('of the host');
});
