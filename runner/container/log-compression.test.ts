import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decompressed, originOf, placeCompressed, writeCompressed } from './log-compression.ts';
import { logFiles, openLogFile, type LogFile } from './log-files.ts';

const base = 'container.log';
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-gzip-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function only(): Promise<LogFile> {
  const [file, ...rest] = await logFiles(directory, base);
  if (file === undefined || rest.length > 0) throw new Error('not one file');
  return file;
}

async function contents(file: LogFile): Promise<string> {
  const handle = await openLogFile(file);
  if (handle === undefined) throw new Error('gone');
  await using _ = handle;
  let text = '';
  for await (const piece of decompressed(handle)) text += String(piece);
  return text;
}

test('a rotated file becomes a gzip file that says what it was made from, and that gzip reads', async () => {
  const text = Array.from({ length: 50_000 }, (_, n) => `line ${n}\n`).join('');
  writeFileSync(join(directory, `${base}.3`), text);
  const plain = await only();
  await using _ = await writeCompressed(directory, base, plain);
  // Until it is in its place only the plain one is there.
  expect(await only()).toEqual(plain);
  await placeCompressed(directory, base, plain);
  const compressed = await only();
  expect(compressed).toMatchObject({ compressed: true, place: 3 });
  expect(Math.abs(compressed.modifiedAtMs - plain.modifiedAtMs)).toBeLessThan(2);
  expect(await originOf(compressed)).toBe(plain.inode);
  expect(await contents(compressed)).toBe(text);
  expect(String(execFileSync('gzip', ['-dc', compressed.path], { maxBuffer: 2 ** 24 }))).toBe(text);
});

test('where a crash left both forms the plain one counts', async () => {
  writeFileSync(join(directory, `${base}.1`), 'plain\n');
  writeFileSync(join(directory, `${base}.1.gz`), 'whatever');
  expect(await only()).toMatchObject({ compressed: false, place: 1 });
});

test('a damaged file ends where the damage begins', async () => {
  writeFileSync(join(directory, `${base}.1`), 'x'.repeat(10));
  const plain = await only();
  await (await writeCompressed(directory, base, plain))?.close();
  await placeCompressed(directory, base, plain);
  const { path } = await only();
  writeFileSync(path, readFileSync(path).subarray(0, 26));
  expect('x'.repeat(10).startsWith(await contents(await only()))).toBe(true);
});

test('a file that was rotated away meanwhile is none', async () => {
  writeFileSync(join(directory, `${base}.1`), 'x');
  const plain = await only();
  rmSync(plain.path);
  expect(await writeCompressed(directory, base, plain)).toBeUndefined();
});
