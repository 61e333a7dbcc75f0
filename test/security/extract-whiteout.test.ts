import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { extract } from '../support/extract.ts';
import { tar } from '../support/tar.ts';
import type { TarEntry } from '../support/tar.ts';
import { unpackBinary } from '../support/unpack-binary.ts';

/** The layer below: what whiteouts hide or do not. */
const lower = tar([
  { name: 'gone', content: 'lower' },
  { name: 'kept', content: 'lower' },
  { name: 'd/', type: '5' },
  { name: 'd/a', content: 'lower' },
  { name: 'd/b', content: 'lower' },
  { name: 'e/f/g', content: 'lower' },
]);

let binary = '';
beforeAll(() => {
  binary = unpackBinary();
});

/** The files of an overlay of `upper` over `lower`, both as lower layers, as the kernel shows them. */
async function merged(upper: readonly TarEntry[]): Promise<string[]> {
  await using below = await extract(binary, lower);
  await using above = await extract(binary, tar(upper));
  expect(above.report).toMatchObject({ ok: true });
  const mountpoint = join(above.around, 'merged');
  mkdirSync(mountpoint);
  const script = 'mount -t overlay overlay -o "ro,lowerdir=$1:$2" "$3" && cd "$3" && find . ! -type d | sort';
  const output = execFileSync('unshare', [
    '--mount',
    '/bin/sh',
    '-c',
    script,
    'sh',
    above.tree,
    below.tree,
    mountpoint,
  ]);
  return output.toString().trim().split('\n');
}

const all = ['./d/a', './d/b', './e/f/g', './gone', './kept'];

test('nothing hidden', async () => {
  expect(await merged([])).toEqual(all);
});

test('a whiteout hides a file, a whole directory, and one file in a directory', async () => {
  expect(await merged([{ name: '.wh.gone' }, { name: '.wh.e' }, { name: 'd/.wh.a' }])).toEqual(['./d/b', './kept']);
});

test('an opaque directory hides what was in it and shows what the layer adds, in either order', async () => {
  const add: TarEntry = { name: 'd/new', content: 'upper' };
  const opaque: TarEntry = { name: 'd/.wh..wh..opq' };
  const expected = ['./d/new', './e/f/g', './gone', './kept'];
  expect(await merged([opaque, add])).toEqual(expected);
  expect(await merged([{ name: 'd/', type: '5' }, add, opaque])).toEqual(expected);
});

test('a whiteout and a file of the same name in one layer: the file is there, in either order', async () => {
  const file: TarEntry = { name: 'gone', content: 'upper' };
  const whiteout: TarEntry = { name: '.wh.gone' };
  expect(await merged([whiteout, file])).toEqual(all);
  expect(await merged([file, whiteout])).toEqual(all);
});

test('a whiteout and a directory of the same name in one layer: nothing from below shows in it', async () => {
  const directory: TarEntry[] = [
    { name: 'd/', type: '5' },
    { name: 'd/new', content: 'upper' },
  ];
  const whiteout: TarEntry = { name: '.wh.d' };
  const expected = ['./d/new', './e/f/g', './gone', './kept'];
  expect(await merged([whiteout, ...directory])).toEqual(expected);
  expect(await merged([...directory, whiteout])).toEqual(expected);
});

test("aufs' own files are left out", async () => {
  expect(await merged([{ name: '.wh..wh.aufs' }, { name: '.wh..wh.plnk/', type: '5' }])).toEqual(all);
});

test('a smuggled redirect does not show another directory', async () => {
  const pax = { 'SCHILY.xattr.trusted.overlay.redirect': '/e', 'SCHILY.xattr.trusted.overlay.metacopy': '' };
  expect(await merged([{ name: 'd/', type: '5', pax }])).toEqual(all);
});
