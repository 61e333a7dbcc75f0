import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogEntry, LogOptions } from './engine.ts';
import { readLogs } from './logs.ts';

let directory: string;
let live = false;
let wake: (() => void) | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-logs-'));
  live = false;
  wake = undefined;
});
afterEach(() => rmSync(directory, { recursive: true }));

const line = (n: number, text = `line ${n}\n`) =>
  `${JSON.stringify({ log: text, stream: n % 2 === 0 ? 'stdout' : 'stderr', time: new Date(n * 1000).toISOString() })}\n`;
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => line(from + at)).join('');
const path = (name: string) => join(directory, name);

function read(options: LogOptions): AsyncGenerator<LogEntry> {
  const source = {
    directory,
    baseName: 'container.log',
    isLive: () => live,
    onChange: (listener: () => void) => {
      wake = listener;
      return { [Symbol.dispose]: () => undefined };
    },
  };
  return readLogs(source, options);
}

async function all(options: Partial<LogOptions> = {}): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of read({ follow: false, ...options })) entries.push(entry);
  return entries;
}

const numbers = async (options: Partial<LogOptions> = {}) =>
  (await all(options)).map(({ text }) => Number(text.slice(5)));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

test('rotated files come before the current one', async () => {
  writeFileSync(path('container.log.9'), lines(0, 3));
  writeFileSync(path('container.log.10'), lines(3, 5));
  writeFileSync(path('container.log'), lines(5, 9));
  writeFileSync(path('container.log.tmp'), lines(90, 99));
  expect(await numbers()).toEqual(range(0, 9));
});

test.each([0, 1, 2, 4, 5, 6, 8, 9, 100])('the last %i lines, over files', async (tail) => {
  writeFileSync(path('container.log.9'), lines(0, 3));
  writeFileSync(path('container.log.10'), lines(3, 5));
  writeFileSync(path('container.log'), lines(5, 9));
  expect(await numbers({ tail })).toEqual(range(Math.max(0, 9 - tail), 9));
});

test('a tail that begins in the middle of a large file', async () => {
  writeFileSync(path('container.log'), lines(0, 20_000));
  expect(await numbers({ tail: 3000 })).toEqual(range(17_000, 20_000));
});

test('since leaves out what is older', async () => {
  writeFileSync(path('container.log.1'), lines(0, 5));
  writeFileSync(path('container.log'), lines(5, 9));
  expect(await numbers({ sinceMs: 3000 })).toEqual(range(3, 9));
});

test('a line that a crash cut short, and one too long, are left out', async () => {
  writeFileSync(path('container.log'), `${line(0)}${'x'.repeat(3 * 1024 * 1024)}\n{"log":"cut\n${line(1)}{"log":`);
  expect(await numbers()).toEqual([0, 1]);
});

test('characters of several bytes survive the borders of reads', async () => {
  const text = '€'.repeat(16_000);
  writeFileSync(path('container.log'), Array.from({ length: 20 }, (_, n) => line(n, text)).join(''));
  const entries = await all();
  expect(entries).toHaveLength(20);
  expect(entries.every((entry) => entry.text === text)).toBe(true);
});

test('following goes on through rotations and ends when the container has ended and all is read', async () => {
  live = true;
  writeFileSync(path('container.log'), lines(0, 2));
  const log = read({ follow: true });
  const seen: number[] = [];
  const until = async (count: number) => {
    while (seen.length < count) {
      const { value, done } = await log.next();
      if (done === true) return;
      seen.push(Number(value.text.slice(5)));
    }
  };
  await until(2);
  for (let round = 0; round < 5; round += 1) {
    appendFileSync(path('container.log'), lines(2 + round * 3, 4 + round * 3));
    renameSync(path('container.log'), path(`container.log.${round + 1}`));
    writeFileSync(path('container.log'), lines(4 + round * 3, 5 + round * 3));
    await until(5 + round * 3);
  }
  const rest = until(1000);
  appendFileSync(path('container.log'), lines(17, 20));
  live = false;
  wake?.();
  await rest;
  expect(seen).toEqual(range(0, 20));
});

test('following a log that is not there yet', async () => {
  live = true;
  const log = read({ follow: true, tail: 10 });
  const first = log.next();
  writeFileSync(path('container.log'), lines(0, 1));
  expect((await first).value?.text).toBe('line 0\n');
  await log.return(undefined);
});

test('an abort ends following without an error', async () => {
  live = true;
  const controller = new AbortController();
  const log = read({ follow: true, signal: controller.signal });
  const first = log.next();
  controller.abort();
  expect((await first).done).toBe(true);
});
