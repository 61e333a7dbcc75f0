import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decompressed, writeCompressed } from './log-compression.ts';
import { LogFiles, openFollowing, type OpenLogFile } from './log-files.ts';

let directory: string;
let location: { directory: string; baseName: string };
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-log-files-'));
  location = { directory, baseName: 'log' };
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = (name: string) => join(directory, name);
const write = (name: string, text = name) => writeFileSync(path(name), text);

async function compress(name: string): Promise<void> {
  await using from = await open(path(name), 'r');
  await writeCompressed(from, path(`${name}.gz`));
  await rm(path(name));
}

async function text(file: OpenLogFile | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  await using handle = file.handle;
  if (!file.compressed) return await handle.readFile('utf8');
  let whole = '';
  for await (const piece of decompressed(handle)) whole += String(piece);
  return whole;
}

/** What reading on from this file gives. */
async function rest(from: OpenLogFile | undefined): Promise<(string | undefined)[]> {
  const texts: (string | undefined)[] = [];
  for (let file = await openFollowing(location, from); file !== undefined;) {
    const following = await openFollowing(location, file);
    texts.push(await text(file));
    file = following;
  }
  return texts;
}

async function opened(log: LogFiles, at: number): Promise<OpenLogFile> {
  const file = log.files.at(at);
  const open = file && (await log.open(file));
  if (open === undefined) throw new Error('no such file');
  return open;
}

test('the oldest first, by number; in both forms the plain one counts; other names are none', async () => {
  for (const name of ['log', 'log.10', 'log.9', 'log.9.gz', 'log.gz.new', 'log.08', 'log.x', 'logs.1']) write(name);
  write('log.8');
  await compress('log.8');
  await using log = await LogFiles.list(location);
  expect(log.files.map(({ number, compressed }) => [number, compressed])).toEqual([
    [8, true],
    [9, false],
    [10, false],
    [undefined, false],
  ]);
  expect(await Promise.all(log.files.map(async (file) => text(await log.open(file))))).toEqual([
    'log.8',
    'log.9',
    'log.10',
    'log',
  ]);
});

test('what is rotated, compressed or deleted after it was listed is found, or known to be gone', async () => {
  write('log.1');
  write('log.2');
  write('log', 'third');
  await using log = await LogFiles.list(location);
  rmSync(path('log.1'));
  await compress('log.2');
  renameSync(path('log'), path('log.3'));
  await compress('log.3');
  write('log', 'fourth');
  const texts = await Promise.all(log.files.map(async (file) => text(await log.open(file))));
  expect(texts).toEqual([undefined, 'log.2', 'third']);
});

test('reading on from the one that was written: it may have been rotated, compressed, or deleted with others after it', async () => {
  write('log.7');
  write('log', 'eighth');
  await using log = await LogFiles.list(location);
  await using handle = (await opened(log, -1)).handle;
  const file = { ...(await opened(log, -1)), handle };
  expect(await openFollowing(location, file)).toBeUndefined();
  renameSync(path('log'), path('log.8'));
  expect(await openFollowing(location, file)).toBeUndefined(); // the next has not begun
  write('log', 'ninth');
  expect(await rest(file)).toEqual(['ninth']);
  renameSync(path('log'), path('log.9'));
  write('log', 'tenth');
  expect(await rest(file)).toEqual(['ninth', 'tenth']);
  await compress('log.8');
  await compress('log.9');
  expect(await rest(file)).toEqual(['ninth', 'tenth']);
  for (const name of ['log.7', 'log.8.gz', 'log.9.gz']) rmSync(path(name));
  renameSync(path('log'), path('log.10'));
  write('log', 'eleventh');
  expect(await rest(file)).toEqual(['tenth', 'eleventh']);
  rmSync(path('log.10'));
  expect(await rest(file)).toEqual(['eleventh']);
});

test('reading on from nothing begins with the oldest', async () => {
  expect(await rest(undefined)).toEqual([]);
  write('log');
  expect(await rest(undefined)).toEqual(['log']);
  write('log.3');
  expect(await rest(undefined)).toEqual(['log.3', 'log']);
});

test('a listing in the middle of rotations: in order, nothing twice, and what it lacks has been deleted', async () => {
  const log = { next: 1, oldest: 1, isOver: false };
  write('log', '0');
  async function rotate(): Promise<void> {
    for (; !log.isOver; log.next += 1) {
      renameSync(path('log'), path(`log.${log.next - 1}`));
      write('log', String(log.next));
      if (log.next % 3 === 0) await compress(`log.${log.next - 1}`);
      for (; log.oldest < log.next - 5; log.oldest += 1) {
        rmSync(path(`log.${log.oldest}`), { force: true });
        rmSync(path(`log.${log.oldest}.gz`), { force: true });
      }
      await new Promise(setImmediate);
    }
  }
  async function listed(): Promise<number[]> {
    await using found = await LogFiles.list(location);
    const texts: number[] = [];
    for (const file of found.files) texts.push(Number((await text(await found.open(file))) ?? Number.NaN));
    return texts.filter((number) => !Number.isNaN(number));
  }
  async function look(): Promise<void> {
    for (let round = 0; round < 500 || log.next < 100; round += 1) {
      const numbers = await listed();
      expect(numbers).not.toEqual([]);
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
      const [first = 0, last = 0] = [numbers[0], numbers.at(-1)];
      const lacking = Array.from({ length: last - first }, (_, at) => first + at).filter((n) => !numbers.includes(n));
      expect(Math.max(-1, ...lacking)).toBeLessThan(log.oldest);
    }
  }
  const rotating = rotate();
  await look().finally(() => (log.isOver = true));
  await rotating;
});
