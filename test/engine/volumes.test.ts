import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { run } from '../support/stage/command.ts';
import { hasClient28 } from '../support/docker-client.ts';
import { VolumeRoom } from './volume-room.ts';

let room: VolumeRoom;

beforeAll(async () => {
  room = await VolumeRoom.open();
});
afterAll(() => room[Symbol.asyncDispose]());
afterEach(() => room.clear());

test('a new volume gets what the image has there, owners, modes and attributes kept', async () => {
  const script = 'stat -c "%a %u %g" /data /data/file; readlink /data/link; cat /data/file';
  const wanted = '2770 7 8\n640 7 9\n../etc/passwd\nof the image';
  expect(await room.docker('run', '--rm', '-v', 'copied:/data', 'with-volumes:1', 'sh', '-c', script)).toBe(wanted);
  const path = (await room.inspected('copied', '.Mountpoint')) as string;
  // Node cannot read an extended attribute.
  const program = 'import os, sys; print(os.getxattr(sys.argv[1], "user.x"))';
  const signal = AbortSignal.timeout(20_000);
  expect((await run(['python3', '-c', program, join(path, 'file')], { signal })).stdout).toBe("b'y'\n");
  // Only an empty one is filled.
  await room.docker('run', '--rm', '-v', 'copied:/data', 'with-volumes:1', 'rm', '/data/link');
  expect(await room.docker('run', '--rm', '-v', 'copied:/data', 'with-volumes:1', 'ls', '/data')).toBe('file');
  expect(await room.docker('run', '--rm', '-v', 'empty:/data:nocopy', 'with-volumes:1', 'ls', '/data')).toBe('');
  const mount = 'type=volume,source=empty2,target=/data,volume-nocopy';
  expect(await room.docker('run', '--rm', '--mount', mount, 'with-volumes:1', 'ls', '/data')).toBe('');
  await room.docker('volume', 'rm', 'copied', 'empty', 'empty2');
});

test('volumes of the image are anonymous, unless something else is mounted there', async () => {
  const id = await room.docker('create', '-v', '/own', '-v', 'named:/declared', 'with-volumes:1', 'true');
  const mounts = (await room.inspected(id, '.Mounts')) as readonly {
    Name: string;
    Destination: string;
    Mode: string;
  }[];
  expect(mounts.map(({ Name, Destination }) => [Destination, Name.length])).toEqual([
    ['/declared', 5],
    ['/data', 64],
    ['/own', 64],
  ]);
  expect(await room.inspected(id, '.Config.Volumes')).toEqual({ '/data': {}, '/declared': {}, '/own': {} });
  expect(await room.inspected(id, '.HostConfig.Binds')).toEqual(['named:/declared']);
  await room.docker('rm', '-v', id);
  expect(await room.volumeNames()).toEqual(['named']);
  await room.docker('run', '--rm', 'with-volumes:1', 'true');
  expect(await room.volumeNames()).toEqual(['named']);
  await room.docker('volume', 'rm', 'named');
});

test('rm without -v keeps the anonymous ones', async () => {
  await room.docker('rm', await room.docker('create', '-v', '/x', 'busybox', 'true'));
  const names = await room.volumeNames();
  expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  await room.docker('volume', 'rm', ...names);
});

test.runIf(hasClient28)('a directory of the host, which -v makes and --mount does not', async () => {
  const source = join(room.directory, 'host');
  await mkdir(source);
  expect(await room.inBusybox(['-v', `${source}:/h`], 'echo hello > /h/f; cat /h/f')).toBe('hello');
  expect(await readFile(join(source, 'f'), 'utf8')).toBe('hello\n');
  expect(await room.inBusybox(['-v', `${source}:/h:ro`], 'touch /h/g 2>&1; true')).toContain('Read-only file system');
  const readonly = `type=bind,source=${source},target=/h,readonly`;
  expect(await room.inBusybox(['--mount', readonly], 'touch /h/g 2>&1; true')).toContain('Read-only file system');
  expect(await room.inBusybox(['-v', `${source}/f:/etc/made/up`], 'cat /etc/made/up')).toBe('hello');
  expect(await room.inBusybox(['-v', `${room.directory}/made/here:/h`], 'touch /h/g; ls /h')).toBe('g');
  const missing = join(room.directory, 'missing');
  expect(await room.refusal('run', '--mount', `type=bind,source=${missing},target=/h`, 'busybox')).toBe(
    `invalid mount config for type "bind": bind source path does not exist: ${missing}`,
  );
  expect(await readdir(room.directory)).not.toContain('missing');
  const id = await room.docker('create', '-v', `${source}/.:/h/:ro`, 'busybox', 'true');
  expect(await room.inspected(id, '.Mounts')).toEqual([
    { Type: 'bind', Source: source, Destination: '/h', Mode: 'ro', RW: false, Propagation: 'rprivate' },
  ]);
  await room.docker('rm', id);
});

test('tmpfs, by both ways, and /dev/shm', async () => {
  const shown = (path: string) => `stat -c %a ${path}; grep ' ${path} ' /proc/mounts`;
  expect(await room.inBusybox(['--tmpfs', '/t:size=2m,exec,mode=700'], shown('/t'))).toMatch(
    /^700\ntmpfs \/t tmpfs rw,nosuid,nodev,relatime,size=2048k,mode=700/,
  );
  const mount = 'type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=750';
  expect(await room.inBusybox(['--mount', mount], shown('/t'))).toMatch(
    /^750\ntmpfs \/t tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=750/,
  );
  expect(await room.inBusybox(['--shm-size', '3m'], shown('/dev/shm'))).toMatch(/size=3072k/);
  expect(await room.inBusybox(['--tmpfs', '/dev/shm:size=4m'], `${shown('/dev/shm')} | wc -l`)).toBe('1777\n1');
  expect(await room.inBusybox(['-v', `${room.directory}:/dev/shm`], 'ls /dev/shm/image.tar')).toBe(
    '/dev/shm/image.tar',
  );
  expect(await room.inBusybox(['-v', '/t', '--tmpfs', '/t'], 'grep -c " /t " /proc/mounts')).toBe('1');
});

test('parents are mounted before what lies in them', async () => {
  const binds = ['-v', `${room.directory}:/a/b`, '-v', 'outer:/a', '--tmpfs', '/a/b/c'];
  await mkdir(join(room.directory, 'c'));
  const script = 'ls /a /a/b/image.tar; grep -c " /a/b/c tmpfs" /proc/mounts';
  expect(await room.inBusybox(binds, script)).toBe('/a/b/image.tar\n\n/a:\nb\n1');
  await room.docker('volume', 'rm', 'outer');
});

test('mounts of another container', async () => {
  const bound = `${room.directory}:/h:ro`;
  const id = await room.docker(
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
  const taker = await room.docker('create', '--volumes-from', 'giver:ro', 'busybox', 'true');
  expect(await room.inspected(taker, '.HostConfig.VolumesFrom')).toEqual(['giver:ro']);
  const [own, taken] = (await Promise.all([id, taker].map((one) => room.inspected(one, '.Mounts')))) as {
    Source: string;
    Destination: string;
    RW: boolean;
  }[][];
  expect(taken?.map(({ Source, Destination }) => [Source, Destination])).toEqual(
    own?.map(({ Source, Destination }) => [Source, Destination]),
  );
  expect(taken?.map(({ RW }) => RW)).toEqual([false, false, false]);
  // The anonymous one is used by the other still.
  await room.docker('rm', '-v', taker);
  expect(await room.volumeNames()).toHaveLength(2);
  await room.docker('rm', '-v', id);
  expect(await room.volumeNames()).toEqual(['given']);
  await room.docker('volume', 'rm', 'given');
});

test.runIf(hasClient28)('driver options: tmpfs and bind, mounted while a container runs', async () => {
  const options = (text: string) => text.split(' ').flatMap((option) => ['-o', option]);
  await room.docker('volume', 'create', ...options('type=tmpfs device=tmpfs o=size=3m'), 'memory');
  await room.docker('volume', 'create', ...options(`type=none device=${room.directory} o=bind`), 'elsewhere');
  await room.docker('volume', 'create', ...options(`type=none device=${room.directory}/no o=bind`), 'nowhere');
  const path = (await room.inspected('memory', '.Mountpoint')) as string;
  const isMounted = async () => (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${path} `);
  const id = await room.docker('run', '-d', '-v', 'memory:/m', 'busybox', 'sleep', '1000');
  expect(await isMounted()).toBe(true);
  await room.docker('exec', id, 'touch', '/m/here');
  expect(await room.inBusybox(['-v', 'memory:/m'], 'ls /m; grep " /m " /proc/mounts')).toMatch(/^here\n.*size=3072k/);
  expect(await isMounted()).toBe(true);
  await room.docker('rm', '-f', id);
  expect(await isMounted()).toBe(false);
  expect(await room.inBusybox(['-v', 'elsewhere:/e'], 'ls /e/image.tar')).toBe('/e/image.tar');
  const target = path.replace('memory', 'nowhere');
  expect(await room.refusal('run', '--rm', '-v', 'nowhere:/n', 'busybox', 'true')).toBe(
    `error while mounting volume '${target}': failed to mount local volume: mount ${room.directory}/no:${target}, flags: 0x1000: no such file or directory`,
  );
  await room.docker('volume', 'rm', 'memory', 'elsewhere', 'nowhere');
  expect(await readdir(room.directory)).toContain('image.tar');
});

test('files are copied into a volume of a container that does not run, and out of it', async () => {
  const id = await room.docker('create', '-v', 'copied:/c', '-v', `${room.directory}:/h:ro`, 'busybox', 'true');
  await room.docker('cp', join(room.directory, 'image.tar'), `${id}:/c/in.tar`);
  expect(await room.inBusybox(['-v', 'copied:/c'], 'ls /c')).toBe('in.tar');
  await room.docker('cp', `${id}:/h/image.tar`, join(room.directory, 'out.tar'));
  expect(await readdir(room.directory)).toContain('out.tar');
  expect((await room.outcome('cp', join(room.directory, 'image.tar'), `${id}:/h/no.tar`)).stderr).toContain(
    'read-only',
  );
});

test.runIf(hasClient28)('a part of a volume', async () => {
  await room.inBusybox(['-v', 'whole:/v'], 'mkdir -p /v/a/b; touch /v/a/b/c');
  const mount = 'type=volume,source=whole,target=/part,volume-subpath=a/b';
  expect(await room.inBusybox(['--mount', mount], 'ls /part')).toBe('c');
  await room.docker('volume', 'rm', 'whole');
});

test.runIf(hasClient28)('propagation follows a mount that the host shares', async () => {
  const shared = join(room.directory, 'shared');
  await mkdir(shared);
  expect(await room.refusal('run', '--rm', '-v', `${shared}:/peer:rshared`, 'busybox', 'true')).toMatch(
    new RegExp(`^path ${shared} is mounted on .* but it is not a shared mount$`),
  );
  const signal = AbortSignal.timeout(60_000);
  await run(['mount', '-t', 'tmpfs', 'tmpfs', shared], { signal });
  try {
    await run(['mount', '--make-shared', shared], { signal });
    const names = ['rslave', 'rshared', 'rprivate'];
    const ids: string[] = [];
    for (const name of names)
      ids.push(await room.docker('run', '-d', '-v', `${shared}:/peer:${name}`, 'busybox', 'sleep', '1000'));
    await mkdir(join(shared, 'later'));
    await run(['mount', '-t', 'tmpfs', 'tmpfs', join(shared, 'later')], { signal });
    try {
      const seen: string[] = [];
      for (const id of ids) seen.push(await room.docker('exec', id, 'grep', '-c', ' /peer', '/proc/mounts'));
      expect(seen).toEqual(['2', '2', '1']);
    } finally {
      await room.docker('rm', '-f', ...ids);
      await run(['umount', join(shared, 'later')], { signal });
    }
  } finally {
    await run(['umount', shared], { signal });
  }
});
