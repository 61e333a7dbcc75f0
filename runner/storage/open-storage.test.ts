import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { plainConfig } from '../../test/support/plain-container.ts';
import { filesBinary } from '../../test/support/files-binary.ts';
import { unpackBinary } from '../../test/support/unpack-binary.ts';
import { createContainerFiles } from '../archive/local-container-files.ts';
import { ContainerStore } from '../container/state.ts';
import { openRunnerDatabase } from '../database.ts';
import { createLog } from '../log.ts';
import { parseDriverName, type DriverName } from './driver-name.ts';
import { openStorage, type Storage } from './open-storage.ts';

let around: string;
let told: string;

beforeEach(() => {
  around = mkdtempSync(join(tmpdir(), 'berth-storage-'));
  told = '';
});
afterEach(() => rmSync(around, { recursive: true, force: true }));

/** Opens a data root's storage and tells what it is; `containers`: with a container in the database. */
async function opened(
  dataRoot: string,
  wanted?: DriverName,
  containers = false,
): Promise<Omit<Storage, 'driver'> & { name: DriverName }> {
  using database = openRunnerDatabase(join(around, 'runner.db'));
  if (containers) {
    new ContainerStore(database).insert('1'.repeat(64), plainConfig(), 0);
  }
  const binary = filesBinary();
  await using storage = await openStorage({
    dataRoot,
    database,
    binary,
    unpackBinary: unpackBinary(),
    files: createContainerFiles(binary),
    images: { list: () => [], onChange: () => ({ [Symbol.dispose]: () => {} }) },
    wanted,
    log: createLog('text', (line) => void (told += line)),
  });
  return { ...storage, name: storage.driver.name };
}

test('overlay where it works, and the probe leaves nothing', async () => {
  expect(await opened(around)).toMatchObject({ name: 'overlay', warnings: [] });
  expect(readdirSync(around).filter((name) => !name.startsWith('runner.db'))).toEqual([]);
  expect(told).toBe('');
});

test('what was asked for is kept, and another is refused once there are containers', async () => {
  expect(await opened(around, 'vfs')).toMatchObject({ name: 'vfs', warnings: [] });
  expect((await opened(around)).name).toBe('vfs');
  expect((await opened(around, 'overlay')).name).toBe('overlay');
  await expect(opened(around, 'vfs', true)).rejects.toMatchObject({
    code: 'storage.other-driver',
    message: `--storage-driver vfs: the data root ${around} has 1 container made with the storage driver overlay`,
    remedy: expect.stringContaining('Remove them first') as string,
  });
  expect((await opened(around)).name).toBe('overlay');
});

test('a data root of a time before there was a choice has overlays', async () => {
  await expect(opened(around, 'vfs', true)).rejects.toThrow('made with the storage driver overlay');
  expect((await opened(around)).name).toBe('overlay');
});

test('vfs, with a warning, where overlayfs does not work', async () => {
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(around, name));
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(around, name));
  // The upper directory of an overlay cannot be on another overlay.
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, merged ?? '']);
  try {
    await expect(opened(merged ?? '', 'overlay')).rejects.toMatchObject({
      code: 'storage.unavailable',
      message: expect.stringContaining(`overlay does not work on the data root ${merged}: `) as string,
    });
    const { name, warnings } = await opened(merged ?? '');
    expect({ name, warnings }).toEqual({ name: 'vfs', warnings: [expect.stringMatching(/^WARNING: the vfs storage/)] });
    expect(told).toMatch(/overlayfs does not work on the data root: .*\n.*copies the whole image/);
    expect((await opened(merged ?? '')).warnings).toHaveLength(1);
    expect(readdirSync(merged ?? '')).toEqual([]);
  } finally {
    execFileSync('umount', [merged ?? '']);
  }
});

test('btrfs only upon btrfs', async () => {
  await expect(opened(around, 'btrfs')).rejects.toMatchObject({
    code: 'storage.unavailable',
    message: expect.stringContaining('not on btrfs') as string,
  });
});

test.each([
  ['overlay', 'overlay'],
  ['overlay2', 'overlay'],
  ['vfs', 'vfs'],
  ['btrfs', 'btrfs'],
])('the driver %s', (text, name) => {
  expect(parseDriverName(text)).toBe(name);
});

test.each([
  ['aufs', 'in no kernel that Linux has released'],
  ['devicemapper', 'copies blocks'],
  ['zfs', 'ZFS'],
  ['fuse-overlayfs', 'without root'],
  ['nonsense', 'there is no such driver'],
])('the driver %s is refused with the reason and the alternatives', (text, why) => {
  expect(() => parseDriverName(text)).toThrow(
    expect.objectContaining({
      kind: 'invalid',
      message: expect.stringMatching(`^--storage-driver ${text}: .*${why}`) as string,
      remedy: expect.stringMatching(/overlay .*btrfs .*vfs /) as string,
    }),
  );
});
