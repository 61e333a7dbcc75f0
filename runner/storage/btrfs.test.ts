import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BtrfsFileSystem, btrfsMissing } from '../../test/support/btrfs.ts';
import { filesBinary } from '../../test/support/files-binary.ts';
import { btrfsDriver } from './btrfs.ts';
import { runFiles } from './complete-root.ts';
import type { StorageDriver } from './storage-driver.ts';

let stack: DisposableStack;
let around: string;
let driver: StorageDriver;

beforeEach(({ skip }) => {
  stack = new DisposableStack();
  const missing = btrfsMissing();
  if (missing !== undefined) skip(missing);
  around = stack.use(new BtrfsFileSystem()).path;
  driver = btrfsDriver({ binary: filesBinary(), chains: at('chains') });
  mkdirSync(at('one'));
  mkdirSync(at('two'));
});
afterEach(() => stack.dispose());

const at = (name: string): string => join(around, name);

/** A layer as an image store has it, with files of these names. */
function layer(name: string, ...files: readonly string[]): string {
  mkdirSync(at(`layers/${name}/diff`), { recursive: true });
  for (const file of files) writeFileSync(at(`layers/${name}/diff/${file}`), name);
  return at(`layers/${name}/diff`);
}

test('images share the chains that they have in common, and containers share nothing that they write', async () => {
  const [base, left, right] = [layer('base', 'a', 'b'), layer('left', 'b'), layer('right', 'c')];
  await driver.prepare(at('one'), [base, left]);
  await driver.prepare(at('two'), [base, right]);
  expect(readdirSync(at('chains'))).toHaveLength(3);
  writeFileSync(at('one/root/a'), 'written');
  expect(readFileSync(at('one/root/b'), 'utf8')).toBe('left');
  expect(readFileSync(at('two/root/a'), 'utf8')).toBe('base');
  expect(await driver.changes(at('one'), [base, left])).toEqual([{ kind: 'modified', path: '/a', sizeBytes: 7 }]);
  expect(await driver.changes(at('two'), [base, right])).toEqual([]);
  for (const chain of readdirSync(at('chains'))) {
    expect(() => writeFileSync(join(at('chains'), chain, 'a'), 'x')).toThrow('EROFS');
  }
  await driver.keepOnly(() => [[base, right]]);
  expect(readdirSync(at('chains'))).toHaveLength(2);
  expect(readFileSync(at('one/root/a'), 'utf8')).toBe('written'); // a snapshot outlives what it was made from
  await driver.prepare(at('one'), [base, left]); // it is there: nothing is made anew
  expect(readdirSync(at('chains'))).toHaveLength(2);
});

test('what a crash has left of a chain goes, and a chain that cannot be made leaves nothing', async () => {
  const base = layer('base', 'a');
  await driver.prepare(at('one'), [base]);
  await runFiles(filesBinary(), at('chains'), ['subvolume', 'make', 'tmp-0123456789abcdef']);
  await driver.keepOnly(() => [[base]]);
  expect(readdirSync(at('chains'))).toHaveLength(1);
  await expect(driver.prepare(at('two'), [base, at('layers/missing/diff')])).rejects.toThrow('missing');
  expect(readdirSync(at('chains'))).toHaveLength(1);
  expect(existsSync(at('two/root'))).toBe(false);
});

test('a root goes with the subvolumes that its container has made in it', async () => {
  const base = layer('base', 'a');
  await driver.prepare(at('one'), [base]);
  await runFiles(filesBinary(), at('one/root'), ['subvolume', 'make', 'own']);
  writeFileSync(at('one/root/own/file'), '');
  await driver.remove(at('one'));
  expect(readdirSync(at('one'))).toEqual(['made']);
  await driver.remove(at('one')); // again, as after a crash
  rmSync(at('one'), { recursive: true });
  await driver.keepOnly(() => []);
  expect(readdirSync(at('chains'))).toEqual([]);
});
