import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decompressed, originOf, writeCompressed } from './log-compression.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-gzip-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function contents(path: string): Promise<string> {
  await using handle = await open(path, 'r');
  let text = '';
  for await (const piece of decompressed(handle)) text += String(piece);
  return text;
}

async function compressed(text: string): Promise<{ plain: string; path: string }> {
  const [plain, path] = [join(directory, 'plain'), join(directory, 'plain.gz')];
  writeFileSync(plain, text);
  utimesSync(plain, 1000, 2000);
  await using from = await open(plain, 'r');
  await writeCompressed(from, path);
  return { plain, path };
}

test('a file becomes a gzip file that says what it was made from and when that was written, and that gzip reads', async () => {
  const text = Array.from({ length: 50_000 }, (_, n) => `line ${n}\n`).join('');
  const { plain, path } = await compressed(text);
  expect(statSync(path)).toMatchObject({ mtimeMs: 2_000_000 });
  await using handle = await open(path, 'r');
  expect(await originOf(handle)).toBe(statSync(plain).ino);
  expect(await contents(path)).toBe(text);
  expect(String(execFileSync('gzip', ['-dc', path], { maxBuffer: 2 ** 24 }))).toBe(text);
});

test('a damaged file ends where the damage begins', async () => {
  const { path } = await compressed('x'.repeat(100_000));
  writeFileSync(path, readFileSync(path).subarray(0, 60));
  expect('x'.repeat(100_000).startsWith(await contents(path))).toBe(true);
});

test('a file of somebody else says nothing of where it comes from', async () => {
  const path = join(directory, 'other.gz');
  writeFileSync(path, execFileSync('gzip', ['-c'], { input: 'x'.repeat(1000) }));
  await using handle = await open(path, 'r');
  expect(await originOf(handle)).toBeUndefined();
});
