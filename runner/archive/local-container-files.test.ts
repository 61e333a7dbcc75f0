import { execFileSync } from 'node:child_process';
import {
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { filesBinary } from '../../test/support/files-binary.ts';
import { tar } from '../../test/support/tar.ts';
import type { ContainerFiles, FileView } from './container-files.ts';
import { createContainerFiles } from './local-container-files.ts';

let around: string;
let files: ContainerFiles;
let view: Extract<FileView, { kind: 'root' }>;

beforeEach(() => {
  around = mkdtempSync(join(tmpdir(), 'berth-files-'));
  const at = (name: string): string => join(around, name);
  for (const name of ['lower/etc', 'lower/srv/deep', 'upper', 'work', 'volume', 'out']) {
    mkdirSync(at(name), { recursive: true });
  }
  writeFileSync(at('lower/etc/hosts'), 'localhost\n', { mode: 0o640 });
  symlinkSync('../etc/hosts', at('lower/srv/link'));
  symlinkSync('/nowhere/at/all', at('lower/srv/dangling'));
  writeFileSync(at('lower/srv/deep/one'), 'one');
  linkSync(at('lower/srv/deep/one'), at('lower/srv/two'));
  chownSync(at('lower/srv/deep/one'), 1000, 1001);
  utimesSync(at('lower/srv/deep/one'), 1_500_000_000.25, 1_500_000_000.25);
  writeFileSync(at('volume/inside'), 'volume');
  files = createContainerFiles(filesBinary());
  view = {
    kind: 'root',
    root: { kind: 'overlay', lower: [at('lower')], upper: at('upper'), work: at('work') },
    binds: [],
  };
});
afterEach(() => rmSync(around, { recursive: true, force: true }));

async function listing(stream: Readable): Promise<readonly string[]> {
  const bytes = await buffer(stream);
  return execFileSync('tar', ['-tPf', '-'], { input: bytes, encoding: 'utf8' }).trimEnd().split('\n');
}

const unpackOptions = { noOverwriteDirNonDir: true };

test('a file, a link and what is not there are told', async () => {
  expect(await files.stat(view, '/etc/hosts')).toMatchObject({ name: 'hosts', sizeBytes: 10, mode: 0o100640 });
  expect(await files.stat(view, '/srv/link')).toMatchObject({ name: 'link', linkTarget: '/etc/hosts' });
  expect(await files.stat(view, '/srv/dangling')).toMatchObject({ linkTarget: '/nowhere/at/all' });
  await expect(files.stat(view, '/srv/none')).rejects.toMatchObject({
    code: 'file.unknown',
    message: 'Could not find the file /srv/none',
  });
});

test('a directory is read with its links; volumes are in it, and nothing is left of the mounts', async () => {
  const seen = { ...view, binds: [{ source: join(around, 'volume'), destination: '/srv/data', readonly: true }] };
  expect(await listing(await files.read(seen, '/srv', {}))).toEqual([
    'srv/',
    'srv/dangling',
    'srv/data/',
    'srv/data/inside',
    'srv/deep/',
    'srv/deep/one',
    'srv/link',
    'srv/two',
  ]);
  expect(await listing(await files.read(view, '/', { sameFilesystem: true }))).toContain('etc/hosts');
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(around);
  expect(readdirSync(join(around, 'upper'))).toEqual([]);
});

test('a directory is copied out with owners, modes, times and links', async () => {
  const out = join(around, 'out');
  await files.copyOut(view, '/srv', out);
  expect(readdirSync(out).toSorted()).toEqual(['dangling', 'deep', 'link', 'two']);
  const copied = lstatSync(join(out, 'deep/one'));
  expect([copied.uid, copied.gid, copied.mtimeMs, copied.nlink]).toEqual([1000, 1001, 1_500_000_000_250, 2]);
  expect(readlinkSync(join(out, 'link'))).toBe('../etc/hosts');
  await files.copyOut(view, '/no/such', out);
});

test('attributes that an archive brings in are copied out again', async () => {
  const pax = { 'SCHILY.xattr.user.kept': 'yes', 'SCHILY.xattr.trusted.overlay.opaque': 'y' };
  const archive = Readable.from([tar([{ name: 'marked', content: 'x', pax }])]);
  await files.write(view, '/etc', archive, unpackOptions);
  const bytes = (await buffer(await files.read(view, '/etc/marked', {}))).toString('latin1');
  expect(bytes).toContain('SCHILY.xattr.user.kept=yes');
  expect(bytes).not.toContain('trusted.overlay');
});

test.each(['plain', 'gzip', 'bzip2', 'xz', 'zstd'])(
  'a %s archive is unpacked into the upper directory',
  async (kind) => {
    const plain = tar([
      { name: 'new/', type: '5' },
      { name: 'new/.wh.file', content: 'text', uid: 7, gid: 8 },
    ]);
    const run = (program: string): Buffer => execFileSync(program, ['-c'], { input: plain });
    const archive =
      kind === 'gzip'
        ? gzipSync(plain)
        : kind === 'zstd'
          ? zstdCompressSync(plain)
          : kind === 'plain'
            ? plain
            : run(kind);
    await files.write(view, '/srv', Readable.from([archive]), unpackOptions);
    const made = lstatSync(join(around, 'upper/srv/new/.wh.file'));
    expect([made.isFile(), made.size, made.uid, made.gid]).toEqual([true, 4, 7, 8]);
    await files.write(view, '/srv', Readable.from([archive]), { ...unpackOptions, owner: { uid: 1, gid: 2 } });
    expect(lstatSync(join(around, 'upper/srv/new/.wh.file')).uid).toBe(1);
  },
);

test('an archive that is none, a place that is none, and what may not be written', async () => {
  const archive = (): Readable => Readable.from([tar([{ name: 'x', content: 'x' }])]);
  const code = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'done',
      (error: { code: string }) => error.code,
    );
  const text = Buffer.alloc(2048, 'no tar');
  expect(await code(files.write(view, '/srv', Readable.from([text]), unpackOptions))).toBe('file.archive-invalid');
  expect(await code(files.write(view, '/etc/hosts', archive(), unpackOptions))).toBe('file.not-a-directory');
  expect(await code(files.write(view, '/none', archive(), unpackOptions))).toBe('file.unknown');
  for (const long of [`/${'n'.repeat(300)}`, `/${'d/'.repeat(3000)}`]) {
    expect(await code(files.stat(view, long))).toBe('file.unknown');
    expect(await code(files.write(view, long, archive(), unpackOptions))).toBe('file.unknown');
  }
  expect(await code(files.write({ ...view, readonly: true }, '/srv', archive(), unpackOptions))).toBe('file.read-only');
  const binds = [{ source: join(around, 'volume'), destination: '/srv/data', readonly: true }];
  expect(await code(files.write({ ...view, binds }, '/srv/data', archive(), unpackOptions))).toBe('file.read-only');
  const cut = Readable.from([tar([{ name: 'x', content: 'x'.repeat(5000) }]).subarray(0, 2000)]);
  expect(await code(files.write(view, '/srv', cut, unpackOptions))).toBe('file.archive-invalid');
});

test('a directory and a file do not take each other’s place', async () => {
  const asFile = Readable.from([tar([{ name: 'deep', content: 'x' }])]);
  await expect(files.write(view, '/srv', asFile, unpackOptions)).rejects.toThrow(
    'cannot overwrite directory "/srv/deep" with non-directory "/srv"',
  );
  const asDirectory = Readable.from([tar([{ name: 'hosts/', type: '5' }])]);
  await expect(files.write(view, '/etc', asDirectory, unpackOptions)).rejects.toThrow(
    'cannot overwrite non-directory "/etc/hosts" with directory "/etc"',
  );
  const again = Readable.from([tar([{ name: 'deep', content: 'x' }])]);
  await files.write(view, '/srv', again, { noOverwriteDirNonDir: false });
  expect(readFileSync(join(around, 'upper/srv/deep'), 'utf8')).toBe('x');
});
