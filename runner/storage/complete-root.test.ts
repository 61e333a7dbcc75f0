import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { extract } from '../../test/support/extract.ts';
import { filesBinary } from '../../test/support/files-binary.ts';
import { Random } from '../../test/support/random.ts';
import { unpackBinary } from '../../test/support/unpack-binary.ts';
import type { StorageDriver } from './storage-driver.ts';
import { vfsDriver } from './vfs.ts';

let binary: string;
let around: string;
let driver: StorageDriver;

beforeAll(() => {
  binary = filesBinary();
});
beforeEach(() => {
  around = mkdtempSync(join(tmpdir(), 'berth-storage-'));
  driver = vfsDriver({ binary, unpackBinary: unpackBinary() });
});
afterEach(() => rmSync(around, { recursive: true, force: true }));

const at = (name: string): string => join(around, name);

/** Everything that a tree is, a line a file. */
function listing(tree: string): readonly string[] {
  const script = `cd "$1" && find . -mindepth 1 ! -type d -printf '%P %y %m %U:%G %l %T@ %n\\n' -o -mindepth 1 -type d -printf '%P %y %m %U:%G\\n'
    find . -type f -exec md5sum {} +`;
  const text = execFileSync('sh', ['-c', script, 'sh', tree], { encoding: 'utf8' });
  return text.trim().split('\n').toSorted();
}

/** What the kernel makes of the layers, changed by a script; `upper` is a new layer of it then. */
function inOverlay(layers: readonly string[], upper: string, script: string): void {
  for (const name of [upper, `${upper}.work`, at('merged')]) mkdirSync(name, { recursive: true });
  const lower = layers.toReversed().join(':');
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${upper}.work`;
  const whole = `mount -t overlay overlay -o "$1" "$2" && cd "$2" && { ${script}; }`;
  execFileSync('unshare', ['--mount', 'sh', '-c', whole, 'sh', options, at('merged')], { stdio: 'pipe' });
}

const paths = ['a', 'b', 'd', 'd/x', 'd/y', 'd/e', 'd/e/z', 'l'] as const;

/** A number of changes such as a container makes; one that is not possible just fails. */
function randomChanges(random: Random, count: number): string {
  const one = (values: readonly [string, ...string[]]): string => random.pick(values);
  const change = (): string => {
    const [path, other] = [one(paths), one(paths)];
    return one([
      `rm -rf ${path}`,
      `rm -rf ${path}; mkdir -p ${path}; echo ${random.next()} > ${path}/new`,
      `mkdir -p ${path}`,
      `echo ${random.next()} > ${path}`,
      `ln -s ${other} ${path}`,
      `ln ${other} ${path}`,
      `mv ${other} ${path}`,
      `chmod ${one(['700', '644', '1777'])} ${path}`,
      `chown ${one(['0:0', '7:8'])} ${path}`,
      `touch -d @${random.below(1e9)}.5 ${path}`,
      `mkfifo ${path}`,
      `mknod ${path} c 1 3`,
    ]);
  };
  const changes = Array.from({ length: count }, () => `( ${change()} ) 2>/dev/null`);
  return `${changes.join('\n')}\ntrue`;
}

test.each([1, 2, 3, 4, 5, 6])(
  'a copy is what overlayfs shows, and upon it a layer of the changes is what was changed: %i',
  async (seed) => {
    const random = new Random(seed);
    const layers: string[] = [at('base')];
    mkdirSync(at('base/d/e'), { recursive: true });
    writeFileSync(at('base/d/x'), 'base');
    for (let layer = 0; layer < 4; layer++) {
      inOverlay(layers, at(`layers${layer}`), randomChanges(random, 10));
      layers.push(at(`layers${layer}`));
    }
    inOverlay(layers, at('unchanged'), `cp -a . ${at('expected')}`);
    mkdirSync(at('one'));
    await driver.prepare(at('one'), layers);
    expect(listing(at('one/root'))).toEqual(listing(at('expected')));
    expect(await driver.changes(at('one'), layers)).toEqual([]);
    expect(await driver.writtenBytes(at('one'), layers)).toBe(0);

    execFileSync('sh', ['-c', randomChanges(random, 12)], { cwd: at('one/root'), stdio: 'pipe' });
    const layer = await buffer(await driver.readChanges(at('one'), layers, { skipped: [] }));
    await using made = await extract(unpackBinary(), layer);
    expect(made.report).toMatchObject({ ok: true });
    mkdirSync(at('two'));
    await driver.prepare(at('two'), [...layers, made.tree]);
    // Names that were one file before are that still only where the layer has all of them.
    const unlinked = (lines: readonly string[]) => lines.map((line) => line.replace(/ \d+$/, ''));
    expect(unlinked(listing(at('two/root')))).toEqual(unlinked(listing(at('one/root'))));
  },
);

function oneLayer(): readonly string[] {
  mkdirSync(at('layer/etc'), { recursive: true });
  mkdirSync(at('layer/var'));
  writeFileSync(at('layer/etc/one'), 'one!');
  writeFileSync(at('layer/etc/two'), 'two!');
  symlinkSync('one', at('layer/etc/link'));
  return [at('layer')];
}

test('changes are told by kind, with the directories that they are in', async () => {
  const layers = oneLayer();
  mkdirSync(at('c'));
  await driver.prepare(at('c'), layers);
  const root = at('c/root');
  rmSync(join(root, 'etc/one'));
  rmSync(join(root, 'var'), { recursive: true });
  mkdirSync(join(root, 'srv/deep'), { recursive: true });
  writeFileSync(join(root, 'srv/deep/file'), 'written');
  chmodSync(join(root, 'etc/two'), 0o600);
  expect(await driver.changes(at('c'), layers)).toEqual([
    { kind: 'modified', path: '/etc', sizeBytes: 0 },
    { kind: 'deleted', path: '/etc/one', sizeBytes: 0 },
    { kind: 'modified', path: '/etc/two', sizeBytes: 4 },
    { kind: 'added', path: '/srv', sizeBytes: 0 },
    { kind: 'added', path: '/srv/deep', sizeBytes: 0 },
    { kind: 'added', path: '/srv/deep/file', sizeBytes: 7 },
    { kind: 'deleted', path: '/var', sizeBytes: 0 },
  ]);
  expect(await driver.writtenBytes(at('c'), layers)).toBe(11);
});

test('a change that puts size and time back is one nevertheless', async () => {
  const layers = oneLayer();
  mkdirSync(at('c'));
  await driver.prepare(at('c'), layers);
  const file = at('c/root/etc/one');
  const { atimeMs, mtimeMs } = statSync(file);
  utimesSync(at('layer/etc/one'), atimeMs / 1000, Math.floor(mtimeMs / 1000));
  writeFileSync(file, 'ONE!');
  utimesSync(file, atimeMs / 1000, Math.floor(mtimeMs / 1000));
  expect(await driver.changes(at('c'), layers)).toContainEqual({ kind: 'modified', path: '/etc/one', sizeBytes: 4 });
});

test('a layer of the changes has no skipped path, and hard links within it', async () => {
  const layers = oneLayer();
  mkdirSync(at('c'));
  await driver.prepare(at('c'), layers);
  mkdirSync(at('c/root/etc/skipped'));
  rmSync(at('c/root/etc/two'));
  writeFileSync(at('c/root/new'), 'new');
  linkSync(at('c/root/new'), at('c/root/also'));
  const layer = await buffer(await driver.readChanges(at('c'), layers, { skipped: ['etc/skipped', 'etc/two'] }));
  const text = execFileSync('tar', ['-tvf', '-'], { input: layer, encoding: 'utf8' });
  expect(text).toMatch(/also\n.*new link to also\n$/);
  expect(text).not.toMatch(/skipped|two|etc/);
});

test('a copy that was cut off is never used', async () => {
  const layers = oneLayer();
  mkdirSync(at('c/root.tmp/half'), { recursive: true });
  await driver.prepare(at('c'), layers);
  expect(readdirSync(at('c')).toSorted()).toEqual(['made', 'root']);
  expect(readdirSync(at('c/root')).toSorted()).toEqual(['etc', 'var']);
  // A layer that fails leaves no root.
  mkdirSync(at('d'));
  await expect(driver.prepare(at('d'), [...layers, at('missing')])).rejects.toThrow(/open missing|missing/);
  expect(readdirSync(at('d'))).toEqual(['root.tmp']);
});

test('what a container has put in the way is not followed', async () => {
  const layers = oneLayer();
  mkdirSync(at('host/etc'), { recursive: true });
  writeFileSync(at('host/etc/secret'), 'secret');
  mkdirSync(at('c'));
  await driver.prepare(at('c'), layers);
  rmSync(at('c/root/etc'), { recursive: true });
  symlinkSync(at('host/etc'), at('c/root/etc'));
  expect((await driver.changes(at('c'), layers)).map(({ path }) => path)).toEqual(['/etc']);
  // A layer's directory where a lower layer has a link out of the tree.
  mkdirSync(at('first'));
  symlinkSync(at('host/etc'), at('first/etc'));
  mkdirSync(at('second/etc'), { recursive: true });
  writeFileSync(at('second/etc/file'), 'file');
  mkdirSync(at('e'));
  await driver.prepare(at('e'), [at('first'), at('second')]);
  expect(readFileSync(at('e/root/etc/file'), 'utf8')).toBe('file');
  expect(readdirSync(at('host/etc'))).toEqual(['secret']);
});
