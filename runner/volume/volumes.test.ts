import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRunnerDatabase } from '../database.ts';
import type { VolumeUsage } from './volume-usage.ts';
import { Volumes } from './volumes.ts';

let root: string;
let database: DatabaseSync;
let volumes: Volumes;
/** Containers and the volumes that they use. */
let containers: Map<string, readonly string[]>;

const usage: VolumeUsage = {
  usersOf: (name) => [...containers].flatMap(([id, names]) => (names.includes(name) ? [id] : [])),
  isActive: () => false,
  isContainer: (id) => containers.has(id),
};

/** As the runner begins: records are read from the disk. */
async function open(): Promise<Volumes> {
  const log = (_level: string, message: string): never => {
    throw new Error(message);
  };
  const opened = await Volumes.open({ database, directory: join(root, 'volumes'), clock: () => 1000, log });
  opened.guard(usage);
  return opened;
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-volume-store-'));
  database = openRunnerDatabase(join(root, 'runner.db'));
  containers = new Map();
  volumes = await open();
});
afterEach(async () => {
  database.close();
  await rm(root, { recursive: true });
});

const wish = (name: string) => ({ name, labels: null, options: null });
const names = (of = volumes) => of.list().map(({ name }) => name);

test('a volume stays over the end of the runner, with its directory', async () => {
  await volumes.create({ name: 'data', labels: { a: 'b' }, options: null });
  const again = await open();
  await again.collect();
  expect(again.find('data')).toEqual({
    name: 'data',
    labels: { a: 'b' },
    options: null,
    createdAtMs: 1000,
    boundTo: undefined,
  });
  expect(await readdir(join(root, 'volumes', 'data'))).toEqual(['_data']);
});

test('a directory that a loss of power has taken is there again, and so is the volume', async () => {
  await volumes.create(wish('data'));
  await rm(join(root, 'volumes', 'data'), { recursive: true });
  const again = await open();
  await again.collect();
  expect(names(again)).toEqual(['data']);
  expect((await stat(again.pathOf('data'))).mode & 0o777).toBe(0o755);
});

test('what was made for a container that never came goes, at once or when the runner comes back', async () => {
  {
    await using hold = await volumes.acquire('c1', [wish('mine'), wish('yours')]);
    expect(hold).toBeDefined();
    const after = await open(); // as after a crash here
    await after.collect();
    expect(names(after)).toEqual([]);
    expect(await readdir(join(root, 'volumes'))).toEqual([]);
  }
  expect(names()).toEqual([]);
});

test('what another container took into use meanwhile stays', async () => {
  const first = await volumes.acquire('c1', [wish('both')]);
  const second = await volumes.acquire('c2', [wish('both')]);
  containers.set('c2', ['both']);
  second.keep(() => false);
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  expect(volumes.find('both')?.boundTo).toBeUndefined();
  expect(existsSync(volumes.pathOf('both'))).toBe(true);
});

test('a volume goes with its container, unless another one uses it', async () => {
  {
    await using hold = await volumes.acquire('c1', [wish('own'), wish('named'), wish('shared')]);
    containers.set('c1', ['own', 'named', 'shared']);
    hold.keep((name) => name !== 'named');
  }
  containers.set('c2', ['shared']);
  expect((await open()).list().map(({ boundTo }) => boundTo)).toEqual(['c1', undefined, 'c1']);
  await volumes.removeBound('c1');
  containers.delete('c1');
  expect(names()).toEqual(['named', 'shared']);
  expect(volumes.find('shared')?.boundTo).toBeUndefined();
});

test('a removal that a crash cut off is carried on', async () => {
  await volumes.create(wish('half'));
  database.exec("update volumes set bound_to = '-'");
  const again = await open();
  await again.collect();
  expect(names(again)).toEqual([]);
  expect(await readdir(join(root, 'volumes'))).toEqual([]);
});

test('two that remove at the same time do not stumble over each other', async () => {
  const wishes = Array.from({ length: 12 }, (_, index) => wish(`v${index}`));
  const hold = await volumes.acquire('gone', wishes);
  volumes.bindTo('gone', names());
  hold.keep(() => true);
  const after = await open(); // as after a crash here
  await Promise.all([after.collect(), after.removeBound('gone'), after.collect()]);
  expect(names(after)).toEqual([]);
  expect(await readdir(join(root, 'volumes'))).toEqual([]);
});

test('one that is used or held is not removed; one that is being removed is made anew', async () => {
  await volumes.create(wish('data'));
  containers.set('c1', ['data']);
  await expect(volumes.remove('data')).rejects.toMatchObject({
    code: 'volume.in-use',
    message: 'remove data: volume is in use - [c1]',
  });
  containers.clear();
  const hold = await volumes.acquire('c2', [wish('data')]);
  await expect(volumes.remove('data')).rejects.toThrow('volume is in use - [c2]');
  await hold[Symbol.asyncDispose]();
  await writeFile(join(volumes.pathOf('data'), 'old'), '');
  const [, made] = await Promise.all([volumes.remove('data'), volumes.create(wish('data'))]);
  expect(made.name).toBe('data');
  expect(await readdir(volumes.pathOf('data'))).toEqual([]);
});

test('listeners hear of what comes and goes', async () => {
  const heard: string[] = [];
  using _ = volumes.onChange((action, { name }) => heard.push(`${action} ${name}`));
  await volumes.create(wish('data'));
  await volumes.create(wish('data'));
  await volumes.remove('data');
  expect(heard).toEqual(['create data', 'destroy data']);
});
