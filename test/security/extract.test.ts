import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../support/extract.ts';
import { tar, tarEntry } from '../support/tar.ts';
import type { TarEntry } from '../support/tar.ts';
import { unpackBinary } from '../support/unpack-binary.ts';

let binary = '';
beforeAll(() => {
  binary = unpackBinary();
});

const file = (name: string, content = 'evil'): TarEntry => ({ name, content });
const directory = (name: string): TarEntry => ({ name, type: '5' });
const symlink = (name: string, link: string): TarEntry => ({ name, type: '2', link });
const hardLink = (name: string, link: string): TarEntry => ({ name, type: '1', link });

describe('escapes by name are refused', () => {
  test.each<[string, readonly TarEntry[], string]>([
    ['.. at the start', [file('../evil')], '../evil'],
    ['.. further on', [directory('a'), file('a/../../evil')], 'a/../../evil'],
    ['.. behind a slash', [file('/../evil')], '/../evil'],
    ['only ..', [directory('..')], '..'],
    ['.. in a PAX path', [{ name: 'good', pax: { path: '../evil' }, content: 'evil' }], '../evil'],
    ['hard link to ..', [hardLink('link', '../layer')], 'link'],
    ['hard link by a PAX linkpath', [{ ...hardLink('link', 'x'), pax: { linkpath: '../../etc/passwd' } }], 'link'],
    ['whiteout of ..', [directory('a'), file('a/.wh...', '')], 'a/.wh...'],
    ['whiteout of .', [directory('a'), file('a/.wh..', '')], 'a/.wh..'],
    ['whiteout of nothing', [file('.wh.', '')], '.wh.'],
    ['whiteout above the root', [file('../.wh.layer', '')], '../.wh.layer'],
  ])('%s', async (_attack, entries, entry) => {
    await using result = await extract(binary, tar(entries));
    expect(result.report).toMatchObject({ ok: false, code: 'escape', entry });
    expect(readdirSync(result.around).toSorted()).toEqual(['layer', 'tree']);
  });
});

describe('what leads out by a link stays inside', () => {
  test('an absolute name is beneath the root', async () => {
    await using result = await extract(binary, tar([file('/berth-evil/x', 'in')]));
    expect(result.report.ok).toBe(true);
    expect(existsSync('/berth-evil')).toBe(false);
    expect(readFileSync(join(result.tree, 'berth-evil/x'), 'utf8')).toBe('in');
  });

  test.each([
    ['relative', '..'],
    ['deep relative', '../../../../../../../..'],
    ['absolute', '/'],
  ])('a %s symlink as a parent resolves in the root', async (_kind, target) => {
    await using result = await extract(binary, tar([symlink('out', target), file('out/berth-evil', 'in')]));
    expect(result.report.ok).toBe(true);
    expect(readdirSync(result.around).toSorted()).toEqual(['layer', 'tree']);
    expect(existsSync('/berth-evil')).toBe(false);
    expect(readFileSync(join(result.tree, 'berth-evil'), 'utf8')).toBe('in');
  });

  test('a symlink to a host directory does not lead there', async () => {
    await using result = await extract(binary, tar([symlink('t', '/tmp'), file('t/berth-evil')]));
    expect(result.report).toMatchObject({ ok: false, code: 'bad-entry' });
    expect(existsSync('/tmp/berth-evil')).toBe(false);
  });

  test('magic links of a symlinked /proc lead nowhere', async () => {
    await using result = await extract(binary, tar([symlink('p', '/proc/self/root'), file('p/tmp/berth-evil')]));
    expect(result.report.ok).toBe(false);
    expect(existsSync('/tmp/berth-evil')).toBe(false);
  });

  test('a file replaces a symlink instead of following it', async () => {
    await using result = await extract(binary, tar([symlink('x', '../layer'), file('x', 'mine')]));
    expect(result.report.ok).toBe(true);
    expect(lstatSync(join(result.tree, 'x')).isFile()).toBe(true);
    expect(readFileSync(join(result.around, 'layer')).length).toBeGreaterThan(1000);
  });

  test('a directory, a node and a link replace a symlink too', async () => {
    const swap = (entry: TarEntry): TarEntry[] => [symlink('x', '..'), entry, file('after', '1')];
    for (const entry of [
      directory('x'),
      { name: 'x', type: '6' },
      symlink('x', 'y'),
      { name: 'x', type: '3', device: [1, 3] } as const,
    ]) {
      await using result = await extract(binary, tar(swap(entry)));
      expect(result.report.ok).toBe(true);
      expect(readdirSync(result.around).toSorted()).toEqual(['layer', 'tree']);
    }
  });

  test('a parent swapped for a symlink between two files is looked up anew', async () => {
    const entries = [directory('a'), file('a/1', '1'), symlink('a', '../..'), file('a/2', '2')];
    await using result = await extract(binary, tar(entries));
    expect(result.report.ok).toBe(true);
    expect(readFileSync(join(result.tree, '2'), 'utf8')).toBe('2');
    expect(readdirSync(result.around).toSorted()).toEqual(['layer', 'tree']);
  });

  test('a link that is replaced by way of itself does not lead on', async () => {
    const entries = [symlink('l', '.'), directory('l/l'), file('l/2', '2')];
    await using result = await extract(binary, tar(entries));
    expect(result.report.ok).toBe(true);
    expect(readdirSync(result.tree)).toEqual(['l']);
    expect(readdirSync(join(result.tree, 'l'))).toEqual(['2']);
  });

  test('a grandparent swapped for a symlink is looked up anew', async () => {
    const entries = [
      directory('a'),
      directory('a/b'),
      file('a/b/1'),
      symlink('a', '/'),
      directory('b'),
      file('a/b/2', '2'),
    ];
    await using result = await extract(binary, tar(entries));
    expect(result.report.ok).toBe(true);
    expect(readFileSync(join(result.tree, 'b/2'), 'utf8')).toBe('2');
  });

  test('a hard link through a symlink out finds nothing', async () => {
    await using result = await extract(binary, tar([symlink('out', '/etc'), hardLink('passwd', 'out/passwd')]));
    expect(result.report).toMatchObject({ ok: false, code: 'bad-entry', entry: 'passwd' });
  });

  test('a hard link through a symlink to a directory above finds nothing', async () => {
    await using result = await extract(binary, tar([symlink('out', '..'), hardLink('taken', 'out/layer')]));
    expect(result.report).toMatchObject({ ok: false, code: 'bad-entry', entry: 'taken' });
    expect(existsSync(join(result.tree, 'taken'))).toBe(false);
  });

  test('a hard link to a symlink links the symlink; writing through it changes nothing outside', async () => {
    const entries = [symlink('s', '../layer'), hardLink('h', 's'), file('h', 'mine')];
    await using result = await extract(binary, tar(entries));
    expect(result.report.ok).toBe(true);
    expect(lstatSync(join(result.tree, 'h')).isFile()).toBe(true);
    expect(readlinkSync(join(result.tree, 's'))).toBe('../layer');
  });

  test('a whiteout through a symlink hides inside the root', async () => {
    await using result = await extract(binary, tar([symlink('out', '..'), file('out/.wh.layer', '')]));
    expect(result.report).toMatchObject({ ok: true, whiteouts: 1 });
    expect(lstatSync(join(result.tree, 'layer')).isCharacterDevice()).toBe(true);
    expect(lstatSync(join(result.around, 'layer')).isFile()).toBe(true);
  });

  test('a hard link to a directory, to itself, to the root, to what is not there', async () => {
    for (const link of ['d', 'l', '.', 'missing', 'missing/deeper']) {
      await using result = await extract(binary, tar([directory('d'), hardLink('l', link)]));
      expect(result.report).toMatchObject({ ok: false, code: 'bad-entry', entry: 'l' });
    }
  });
});

describe('a layer may not speak to overlayfs or to the host', () => {
  test('trusted.*, user.overlay.* and foreign security.* attributes are left out', async () => {
    const pax = {
      'SCHILY.xattr.trusted.overlay.redirect': '/etc',
      'SCHILY.xattr.trusted.overlay.opaque': 'y',
      'SCHILY.xattr.user.overlay.redirect': '/etc',
      'SCHILY.xattr.security.selinux': 'x',
    };
    await using result = await extract(binary, tar([{ name: 'd/', type: '5', pax }]));
    expect(result.report).toMatchObject({ ok: true, skippedXattrs: 4 });
  });
});

describe('caps', () => {
  test('contents beyond the limit are refused before they are written', async () => {
    const lie: TarEntry = { name: 'big', statedSize: 2 ** 32, content: 'little' };
    await using result = await extract(binary, tar([lie]), { contentBytes: 2 ** 20 });
    expect(result.report).toMatchObject({ ok: false, code: 'too-large', entry: 'big' });
    expect(statSync(join(result.tree, 'big')).size).toBe(0);
  });

  test('many files that are too large together', async () => {
    const entries = Array.from({ length: 5 }, (_, index) => file(`f${index}`, 'x'.repeat(1000)));
    await using result = await extract(binary, tar(entries), { contentBytes: 4500 });
    expect(result.report).toMatchObject({ ok: false, code: 'too-large', entry: 'f4' });
  });

  test('entries', async () => {
    const entries = Array.from({ length: 11 }, (_, index) => directory(`d${index}`));
    await using result = await extract(binary, tar(entries), { entries: 10 });
    expect(result.report).toMatchObject({ ok: false, code: 'too-large', entry: 'd10' });
  });

  test('depth', async () => {
    await using result = await extract(binary, tar([file('a/'.repeat(300) + 'x')]), { depth: 256 });
    expect(result.report).toMatchObject({ ok: false, code: 'too-large' });
  });

  test('a name longer than the system has', async () => {
    for (const name of ['n'.repeat(256), 'a/'.repeat(2500)]) {
      await using result = await extract(binary, tar([file(name)]));
      expect(result.report).toMatchObject({ ok: false, code: 'name-too-long' });
    }
  });

  test('a gzip bomb, by its ratio', async () => {
    const bomb = gzipSync(
      Buffer.concat([tarEntry({ name: 'zero', statedSize: 200 * 2 ** 20 }), Buffer.alloc(200 * 2 ** 20)]),
    );
    await using result = await extract(binary, bomb, { ratio: 100 });
    expect(result.report).toMatchObject({ ok: false, code: 'too-large' });
  });

  test('an extended header that would fill memory', async () => {
    await using result = await extract(binary, tar([{ name: 'x', type: 'x', statedSize: 2 ** 31 }]));
    expect(result.report).toMatchObject({ ok: false, code: 'too-large' });
  });

  test('a GNU long name that would fill memory', async () => {
    await using result = await extract(binary, tar([{ name: '././@LongLink', type: 'L', statedSize: 2 ** 31 }]));
    expect(result.report).toMatchObject({ ok: false, code: 'name-too-long' });
  });
});

describe('damaged streams', () => {
  const good = tar([file('a', 'x'.repeat(3000)), file('b')]);

  test('cut at any block, plain or gzip', async () => {
    for (let length = 512; length < good.length - 1024; length += 512) {
      await using result = await extract(binary, good.subarray(0, length));
      // Between two entries a tar may end without its zero blocks.
      expect(result.report.ok).toBe(length === 512 + 3072);
    }
    await using cut = await extract(binary, gzipSync(good).subarray(0, -9));
    expect(cut.report).toMatchObject({ ok: false, code: 'corrupt' });
  });

  test('a gzip checksum that does not hold', async () => {
    const damaged = Buffer.from(gzipSync(good));
    damaged[damaged.length - 6] = (damaged.at(-6) ?? 0) ^ 1;
    await using result = await extract(binary, damaged);
    expect(result.report).toMatchObject({ ok: false, code: 'corrupt' });
  });

  test('a header checksum that does not hold', async () => {
    const damaged = Buffer.from(good);
    damaged[512 + 3072 + 1] = 0x41;
    await using result = await extract(binary, damaged);
    expect(result.report).toMatchObject({ ok: false, code: 'corrupt' });
  });

  test('a sparse file and an unknown type are named, not guessed at', async () => {
    for (const type of ['S', 'Z', 'V', 'M']) {
      await using result = await extract(binary, tar([{ name: 'odd', type }]));
      expect(result.report).toMatchObject({ ok: false, code: 'unsupported', entry: 'odd' });
    }
  });
});

test('an unpacker whose runner is gone does not begin', () => {
  const argv = ['/nonexistent', '1', '1', '1', '1', '1']; // its parent is not process 1
  const ended = spawnSync(binary, argv, { input: '' });
  expect(ended.status).toBe(1);
  expect(ended.stdout.toString()).toBe('');
});
