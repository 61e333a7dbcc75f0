import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { extract } from '../../test/support/extract.ts';
import { busyboxRootfs, sha256Of } from '../../test/support/image.ts';
import { tar } from '../../test/support/tar.ts';
import type { TarEntry } from '../../test/support/tar.ts';
import { unpackBinary } from '../../test/support/unpack-binary.ts';

let binary = '';
beforeAll(() => {
  binary = unpackBinary();
});

const longName = `long/${'component-'.repeat(9)}/${'n'.repeat(200)}`;

/** Every kind of file that a layer may hold, with owners, modes and times that are not the defaults. */
const everything: readonly TarEntry[] = busyboxRootfs([
  { name: 'usr/bin/setuid', mode: 0o4755, uid: 0, gid: 5, content: 'suid', mtime: 1_000_000_001 },
  { name: 'usr/bin/sgid', mode: 0o2755, uid: 1, gid: 2, content: 'sgid', mtime: 1_000_000_002 },
  { name: 'home/user/', type: '5', mode: 0o2750, uid: 1000, gid: 1001, mtime: 1_000_000_003 },
  { name: 'home/user/file', mode: 0o600, uid: 1000, gid: 1001, content: 'mine', mtime: 1_000_000_004 },
  { name: 'home/user/empty', uid: 2_000_000, content: '' },
  { name: 'etc/link', type: '2', link: '../does/not/exist', uid: 7, gid: 8, mtime: 1_000_000_005 },
  { name: 'etc/absolute', type: '2', link: '/etc/passwd' },
  { name: `etc/${'s'.repeat(60)}`, type: '2', link: 't'.repeat(300) },
  { name: 'dev/null', type: '3', device: [1, 3], mode: 0o666, mtime: 1_000_000_006 },
  { name: 'dev/loop', type: '4', device: [7, 200], mode: 0o660, gid: 6 },
  { name: 'dev/fifo', type: '6', mode: 0o622, uid: 3 },
  { name: longName, content: 'long' },
  { name: 'etc/ümläut ☃', content: 'utf-8' },
  { name: 'etc/hard', type: '1', link: 'home/user/file' },
  { name: 'etc/readonly/', type: '5', mode: 0o555, mtime: 1_000_000_007 },
  { name: 'etc/readonly/in', content: '1'.repeat(513), mtime: 1 },
  { name: 'etc/replaced', content: 'first' },
  { name: 'etc/replaced', content: 'second', mode: 0o640 },
  { name: 'etc/fraction', content: '', pax: { mtime: '1234567890.5' } },
]);

function gnuTar(layer: Buffer, directory: string): void {
  mkdirSync(directory);
  execFileSync(
    'tar',
    ['-x', '--numeric-owner', '--same-owner', '--delay-directory-restore', '--same-permissions', '-C', directory],
    {
      input: layer,
    },
  );
}

/** One line a file: name, kind, mode, owner, links, time, link text, and the device's number or the content's digest. */
function describeTree(directory: string): string[] {
  const format = String.raw`%P|%y|%m|%U|%G|%n|%T@|%l\n`;
  const output = execFileSync('find', [directory, '-mindepth', '1', '-printf', format], { encoding: 'utf8' });
  const digests = new Map<number, string>(); // busybox has 260 links
  const lines = output.trim().split('\n');
  return lines
    .map((line) => {
      const [name = '', kind = ''] = line.split('|');
      const path = join(directory, name);
      const { ino, rdev } = lstatSync(path);
      if (kind === 'd') return line;
      if (kind !== 'f') return `${line}|${rdev}`;
      const digest = digests.get(ino) ?? sha256Of(readFileSync(path));
      digests.set(ino, digest);
      return `${line}|${digest}`;
    })
    .toSorted();
}

test('a real tree comes out as GNU tar writes it, owners, modes, times, links and nodes', async () => {
  const layer = tar(everything);
  await using result = await extract(binary, layer);
  expect(result.report).toMatchObject({
    ok: true,
    digest: sha256Of(layer),
    diffId: sha256Of(layer),
    entries: everything.length,
  });
  gnuTar(layer, join(result.around, 'gnu'));
  // Directories that the tar does not list have the time of their making.
  const listed = (line: string): boolean => !line.startsWith('long');
  expect(describeTree(result.tree).filter(listed)).toEqual(describeTree(join(result.around, 'gnu')).filter(listed));
  expect(readFileSync(join(result.tree, longName), 'utf8')).toBe('long');
});

test.each(['gnu', 'oldgnu', 'posix', 'ustar', 'v7'])('tars as GNU tar writes them: %s', async (format) => {
  const small = everything.filter((entry) => format !== 'v7' || !['3', '4', '6'].includes(entry.type ?? '0'));
  const plain = small.filter(
    (entry) => !['ustar', 'v7'].includes(format) || (entry.name.length < 99 && (entry.link ?? '').length < 99),
  );
  await using source = await extract(binary, tar(plain));
  const layer = execFileSync('tar', ['-c', `--format=${format}`, '--numeric-owner', '-C', source.tree, '.'], {
    maxBuffer: 2 ** 26,
  });
  await using result = await extract(binary, layer);
  expect(result.report).toMatchObject({ ok: true });
  gnuTar(layer, join(result.around, 'gnu'));
  expect(describeTree(result.tree)).toEqual(describeTree(join(result.around, 'gnu')));
  rmSync(join(result.around, 'gnu'), { recursive: true });
});

test('gzip: both digests in one pass, several members as one', async () => {
  const layer = tar(everything);
  const cut = 100_000;
  for (const blob of [
    gzipSync(layer),
    Buffer.concat([gzipSync(layer.subarray(0, cut)), gzipSync(layer.subarray(cut))]),
  ]) {
    await using result = await extract(binary, blob);
    expect(result.report).toMatchObject({
      ok: true,
      digest: sha256Of(blob),
      diffId: sha256Of(layer),
      sourceBytes: blob.length,
    });
  }
});

test('padding after the end counts for the digest', async () => {
  const layer = Buffer.concat([tar([{ name: 'a', content: '1' }]), Buffer.alloc(10_240)]);
  await using result = await extract(binary, gzipSync(layer));
  expect(result.report).toMatchObject({ ok: true, diffId: sha256Of(layer), tarBytes: layer.length });
});

test('the root entry gives the root its owner, mode and time', async () => {
  const root: TarEntry = { name: './', type: '5', mode: 0o1750, uid: 12, gid: 13, mtime: 1_000_000_000 };
  await using result = await extract(binary, tar([root, { name: './a', content: '1' }]));
  const { mode, uid, gid, mtimeMs } = statSync(result.tree);
  expect({ mode, uid, gid, mtimeMs }).toEqual({ mode: 0o41750, uid: 12, gid: 13, mtimeMs: 1_000_000_000_000 });
});

test('what a later entry names again is replaced, whatever it was', async () => {
  const kinds: TarEntry[] = [
    { name: 'x', content: 'file' },
    { name: 'x', type: '2', link: 'y' },
    { name: 'x', type: '6' },
    { name: 'x/', type: '5' },
    { name: 'x/child/deep', content: '1' },
  ];
  for (const first of kinds) {
    for (const second of kinds.slice(0, 4)) {
      const layer = tar(first.name === 'x' ? [first, second] : [{ name: 'x/', type: '5' }, first, second]);
      await using result = await extract(binary, layer);
      expect(result.report.ok).toBe(true);
      const stats = lstatSync(join(result.tree, 'x'));
      const kind = { '2': stats.isSymbolicLink(), '5': stats.isDirectory(), '6': stats.isFIFO() }[second.type ?? ''];
      expect(kind ?? stats.isFile()).toBe(true);
    }
  }
});

test('a hard link across directories shares the inode; missing parents are made', async () => {
  const layer = tar([
    { name: 'a/b/c', content: 'shared' },
    { name: 'd/e', type: '1', link: '/a/b/../b/c' },
  ]);
  await using result = await extract(binary, layer);
  expect(statSync(join(result.tree, 'd/e')).ino).toBe(statSync(join(result.tree, 'a/b/c')).ino);
  expect(statSync(join(result.tree, 'a')).mode).toBe(0o40755);
});

test('extended attributes that a layer may set are set', async () => {
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex'); // cap_net_bind_service=ep
  const pax = { 'SCHILY.xattr.user.berth': 'a value', 'SCHILY.xattr.security.capability': capability };
  await using result = await extract(binary, tar([{ name: 'ping', mode: 0o755, uid: 5, content: '1', pax }]));
  expect(result.report).toMatchObject({ ok: true, skippedXattrs: 0 });
  // GNU tar writes what it finds as the same kind of records.
  const read = ['-c', '--xattrs', '--xattrs-include=*', '--format=posix', '-C', result.tree, 'ping'];
  const packed = execFileSync('tar', read);
  expect(packed.includes('SCHILY.xattr.user.berth=a value\n')).toBe(true);
  expect(packed.includes(Buffer.concat([Buffer.from('SCHILY.xattr.security.capability='), capability]))).toBe(true);
});
