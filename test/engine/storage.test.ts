import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { BtrfsFileSystem, btrfsMissing } from '../support/btrfs.ts';
import { waitUntil } from '../support/stage/wait-until.ts';
import { tar, type TarEntry } from '../support/tar.ts';
import { RemoteEngine } from './remote-engine.ts';

const drivers = [
  { title: 'overlay', driver: 'overlay', shown: 'overlay2', missing: undefined },
  { title: 'vfs', driver: 'vfs', shown: 'vfs', missing: undefined },
  { title: 'vfs, because its data root is on an overlay', driver: 'vfs', shown: 'vfs', missing: undefined },
  { title: 'btrfs', driver: 'btrfs', shown: 'btrfs', missing: btrfsMissing() },
] as const;
const named = drivers.filter(({ title, driver }) => title === driver);

/** Where a data root can lie. */
function placeFor(title: string, stack: AsyncDisposableStack): string {
  if (title === 'btrfs') return stack.use(new BtrfsFileSystem()).path;
  const path = mkdtempSync(join(tmpdir(), 'berth-storage-'));
  stack.defer(() => rmSync(path, { recursive: true, force: true }));
  if (!title.endsWith('an overlay')) return path;
  const place = join(path, 'place');
  for (const name of ['lower', 'upper', 'work', 'place']) mkdirSync(join(path, name));
  const options = `lowerdir=${path}/lower,upperdir=${path}/upper,workdir=${path}/work`;
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, place]);
  stack.defer(() => void execFileSync('umount', ['-l', place]));
  return place;
}

describe.each(drivers)('containers on $title', ({ title, driver, shown, missing }) => {
  const options = title === driver ? ['--storage-driver', driver] : [];
  const stack = new AsyncDisposableStack();
  let parent: string;
  let engine: EngineUnderTest;

  beforeAll(async () => {
    if (missing !== undefined) return;
    parent = placeFor(title, stack);
    engine = stack.use(await EngineUnderTest.runner(options, parent));
  });
  afterAll(() => stack.disposeAsync());

  const refused = (...args: string[]): Promise<Outcome> => engine.run({ args });
  async function docker(...args: string[]): Promise<string> {
    const { exit, stdout, stderr } = await engine.run({ args });
    if (exit !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }
  const entries = (name: string): readonly string[] => {
    const path = join(parent, 'data', name);
    return existsSync(path) ? readdirSync(path) : [];
  };
  beforeEach(({ skip }) => {
    if (missing !== undefined) skip(missing);
  });

  test('is told of', async () => {
    expect(await docker('info', '--format', '{{.Driver}}')).toBe(shown);
    const status = { overlay: /Supports d_type true/, vfs: /^\[\]$/, btrfs: /^\[\[Btrfs \]\]$/ }[driver];
    expect(await docker('info', '--format', '{{.DriverStatus}}')).toMatch(status);
    const warned = (await docker('info', '--format', '{{.Warnings}}')).includes('the vfs storage driver');
    expect(warned).toBe(title !== driver); // not where it was asked for
    expect(await docker('image', 'inspect', '--format', '{{.GraphDriver.Name}}', 'busybox')).toBe(shown);
  });

  test('run, write, diff, commit, run from that, and nothing is left', async () => {
    const before = entries('chains');
    await docker(
      'run',
      '--name',
      'one',
      'busybox',
      'sh',
      '-c',
      'mkdir -p /srv/a/b && echo 12345 > /srv/a/b/file && ls /',
    );
    expect((await docker('diff', 'one')).split('\n')).toEqual(
      expect.arrayContaining(['A /srv/a', 'A /srv/a/b', 'A /srv/a/b/file']),
    );
    expect(await docker('inspect', '--size', '--format', '{{.SizeRw}} {{.Driver}} {{.GraphDriver.Name}}', 'one')).toBe(
      `6 ${shown} ${shown}`,
    );
    expect(await docker('ps', '-as', '--format', '{{.Names}} {{.Size}}')).toMatch(/^one 6B \(virtual /);
    await docker('commit', 'one', 'two:1');
    const second = 'cat /srv/a/b/file; rm -r /srv/a; mkdir /srv/a; echo new > /srv/a/other; rm /bin/true';
    expect(await docker('run', '--name', 'two', 'two:1', 'sh', '-c', second)).toBe('12345');
    expect(await docker('diff', 'two')).toMatch(/^D \/bin\/true$/m);
    await docker('commit', 'two', 'three:1');
    expect(await docker('run', '--rm', 'three:1', 'sh', '-c', 'find /srv -type f; ls /bin/true 2>&1; true')).toMatch(
      /^\/srv\/a\/other\nls: .*No such file/,
    );
    await docker('save', '-o', join(parent, 'three.tar'), 'three:1');
    await docker('rmi', 'three:1');
    await docker('load', '-i', join(parent, 'three.tar'));
    expect(await docker('run', '--rm', 'three:1', 'find', '/srv', '-type', 'f')).toBe('/srv/a/other');
    // A container on its own root again: what it wrote before is there, its image is not changed by it.
    expect(await docker('start', '-a', 'one')).toContain('srv');
    expect(await docker('run', '--rm', 'busybox', 'sh', '-c', 'ls /srv 2>&1; true')).not.toContain('a\n');
    await docker('rm', 'one', 'two');
    await docker('rmi', 'three:1', 'two:1');
    expect(entries('containers')).toEqual([]);
    await waitUntil(
      'the chains of removed images to go',
      async () => entries('chains').length <= before.length + 1 || undefined,
      { signal: AbortSignal.timeout(120_000) },
    );
  });

  test('cp and export, of a container that was never started, runs, or has ended', async () => {
    const file = join(parent, 'copied');
    writeFileSync(file, 'copied');
    await docker('create', '--name', 'box', 'busybox', 'sh', '-c', 'cat /in; sleep 1000');
    await docker('cp', file, 'box:/in');
    await docker('start', 'box');
    await docker('cp', 'box:/in', `${file}.out`);
    expect(readFileSync(`${file}.out`, 'utf8')).toBe('copied');
    await docker('exec', 'box', 'sh', '-c', 'echo ran > /ran');
    expect(await docker('diff', 'box')).toMatch(/^A \/in\nA \/ran$/m);
    await docker('kill', 'box');
    await docker('cp', 'box:/ran', `${file}.out`);
    expect(readFileSync(`${file}.out`, 'utf8')).toBe('ran\n');
    await docker('export', '-o', `${file}.tar`, 'box');
    const names = execFileSync('tar', ['-tf', `${file}.tar`], { encoding: 'utf8' }).split('\n');
    expect(names).toEqual(expect.arrayContaining(['in', 'ran', 'bin/busybox']));
    await docker('rm', 'box');
    expect(entries('containers')).toEqual([]);
  });

  test('a read-only root, a volume with what the image has, and the sizes of it all', async () => {
    expect(await refused('run', '--rm', '--read-only', 'busybox', 'touch', '/file')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('Read-only file system') as string,
    });
    expect(await docker('run', '--rm', '-v', '/bin', 'busybox', 'ls', '/bin/sh')).toBe('/bin/sh');
    expect(await docker('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Containers 0');
  });

  test('another OCI runtime upon it', async ({ skip }) => {
    if (!existsSync('/usr/bin/crun')) skip('crun is not installed');
    await docker('run', '--name', 'other', '--runtime', 'crun', 'busybox', 'touch', '/new');
    expect((await docker('diff', 'other')).split('\n')).toContain('A /new');
    await docker('rm', 'other');
  });

  test('a user namespace, with the owners of files as they are on disk', async ({ skip }) => {
    if (title !== driver) skip('an overlay maps no owners');
    await using remapped = await EngineUnderTest.runner(
      [...options, '--userns-remap', 'default'],
      join(parent, 'remapped'),
    );
    const script = 'id -u; touch /mine; chown 5:6 /mine; stat -c %u:%g /mine /bin/busybox; cat /proc/self/uid_map';
    const { stdout } = await remapped.run({ args: ['run', '--name', 'mapped', 'busybox', 'sh', '-c', script] });
    expect(stdout).toMatch(/^0\n5:6\n0:0\n +0 +[1-9]\d+ +\d+\n$/);
    const { stdout: changes } = await remapped.run({ args: ['diff', 'mapped'] });
    expect(changes).toBe('A /mine\n');
  });
});

/** An image of many files: the copying of it takes a while. */
function largeArchive(): Buffer {
  const directories = Array.from({ length: 40 }, (_, n): TarEntry => ({ name: `d${n}/`, type: '5' }));
  const files = Array.from({ length: 8000 }, (_, n): TarEntry => ({ name: `d${n % 40}/f${n}`, content: `${n}` }));
  return tar([...directories, ...files]);
}

describe.each(named)('kill -9 in the middle of create on $driver', ({ driver, missing }) => {
  test('what was half made is never used, and goes', async (context) => {
    if (missing !== undefined) context.skip(missing);
    await using stack = new AsyncDisposableStack();
    const parent = placeFor(driver, stack);
    const [data, archive] = [join(parent, 'data'), join(parent, 'archive')];
    writeFileSync(archive, largeArchive());
    const host = stack.use(await NetworkNamespace.create());
    let engine = await RemoteEngine.start(host.name, data, driver);
    stack.defer(async () => {
      if (!existsSync(data)) return; // the runner has left
      await engine.call('clear');
      await engine[Symbol.asyncDispose]();
    });
    const loaded = async () => (await engine.call('load', archive, 'large:1'))[0]?.id ?? '';
    let imageId = await loaded();
    const config = () => ({
      name: 'large',
      image: 'large:1',
      imageId,
      args: ['/x'],
      environment: [],
      workingDirectory: '',
      user: '',
      hostname: '',
      labels: {},
      restart: { kind: 'no' },
      ports: [],
      publishGroup: 'large',
    });
    const half = { overlay: /upper$/, vfs: /root\.tmp\/d\d+$/, btrfs: /^chains\/tmp-[0-9a-f]+\/d\d+$/ }[driver];
    // A busy machine may look so late that all is made: then it is made anew, from an image that is new as well.
    let creating = Promise.resolve(false);
    for (;;) {
      const created = { isDone: false };
      creating = engine.call('create', config()).then(
        () => (created.isDone = true),
        () => false,
      );
      const isHalfMade = (): boolean => halfMade(data).some((path) => half.test(path));
      let seen = isHalfMade();
      while (!seen && !created.isDone) {
        await delay(5);
        seen = isHalfMade();
      }
      if (seen) break;
      for (const { id } of await engine.call('list')) await engine.call('remove', id, { force: true });
      await engine.call('removeImage', 'large:1');
      imageId = await loaded();
    }
    await engine.kill();
    await creating;
    engine = await RemoteEngine.start(host.name, data, driver);
    // Overlays are made so fast that the container may be there already.
    for (const { id } of await engine.call('list')) await engine.call('remove', id, { force: true });
    expect(readdirSync(join(data, 'containers'))).toEqual([]);
    expect(halfMade(data).filter((path) => path.includes('tmp'))).toEqual([]);
    const { id } = await engine.call('create', config());
    expect(filesIn(join(data, 'containers', id, 'root'))).toHaveLength(driver === 'overlay' ? 0 : 8000);
    // The runner leaves with all that it has, read-only subvolumes too.
    await engine[Symbol.asyncDispose]();
    const berth = join(import.meta.dirname, '..', '..', 'bin', 'berth');
    const leave = [berth, 'runner', 'leave', '--data-root', data, '--all', '--purge'];
    const { stderr, status } = spawnSync('nsenter', [`--net=/run/netns/${host.name}`, ...leave], { encoding: 'utf8' });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(existsSync(data)).toBe(false);
  });
});

/** Of the directories in a directory. */
function filesIn(root: string): readonly string[] {
  const names = existsSync(root) ? readdirSync(root) : [];
  return names.flatMap((name) => readdirSync(join(root, name)));
}

/** Names, some levels deep, of what containers and chains are made of; what goes meanwhile is not in it. */
function halfMade(data: string): readonly string[] {
  const tops = ['containers', 'chains'].map((name) => join(data, name));
  const { stdout } = spawnSync('find', [...tops, '-maxdepth', '3'], { encoding: 'utf8' });
  return stdout.split('\n').map((path) => path.slice(data.length + 1));
}
