import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetworkNamespace } from '../network/namespace.ts';
import { run } from '../support/stage/command.ts';
import { writeBusyboxArchive } from './busybox-image.ts';
import { RemoteEngine } from './remote-engine.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-volumes-'));
});
afterAll(() => rm(directory, { recursive: true }));

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
    name: `c${count}`,
    image: 'busybox:1',
    imageId,
    args: ['/bin/true'],
    environment: [],
    labels: {},
    ports: [],
    workingDirectory: '',
    user: '',
    hostname: '',
    restart: { kind: 'no' },
    publishGroup: `c${count}`,
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
    const before = count;
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
    await expect.poll(() => count).toBeGreaterThan(before + 2);
    await delay(round * 35); // a moment of its own in each round
    await remote.kill();
    await Promise.all(ended);
  }
  await using remote = await RemoteEngine.start(host.name, data);
  await expect.poll(() => volumesOfNobody(remote, data)).toEqual([]);
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
    name: 'user',
    image: 'busybox:1',
    imageId: image?.id,
    args: ['sleep', '1000'],
    environment: [],
    labels: {},
    workingDirectory: '',
    user: '',
    hostname: '',
    restart: { kind: 'no' },
    publishGroup: 'user',
    ports: [],
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
