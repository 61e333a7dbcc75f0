import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bootstrapSecret } from './bootstrap-secret.ts';
import { DataLock } from './data-lock.ts';
import { makeDirectory } from './make-directory.ts';

test('a data directory has one control plane at a time', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-lock-'));
  try {
    const lock = DataLock.take(directory);
    expect(() => DataLock.take(directory)).toThrow(`another control plane uses the data directory ${directory}`);
    lock[Symbol.dispose]();
    DataLock.take(directory)[Symbol.dispose]();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('the bootstrap secret is made once, for its owner only', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-secret-'));
  try {
    const first = await bootstrapSecret(directory);
    expect(first.text).toMatch(/^bbs_[\w-]{43}$/);
    expect((await stat(first.path)).mode & 0o777).toBe(0o600);
    expect(await bootstrapSecret(directory)).toEqual(first);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a data directory is made with those above it; where none can be, that is told at once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-data-'));
  try {
    const path = join(directory, 'a', 'b');
    await makeDirectory(path);
    await makeDirectory(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    await writeFile(join(directory, 'file'), '');
    await expect(makeDirectory(join(directory, 'file'))).rejects.toThrow('EEXIST');
    await expect(makeDirectory(join(directory, 'file', 'x'))).rejects.toThrow('EEXIST');
  } finally {
    await rm(directory, { recursive: true });
  }
  for (const path of ['/proc/berth', '/proc/berth/data']) {
    await expect(makeDirectory(path)).rejects.toThrow("ENOENT: no such file or directory, mkdir '/proc/berth'");
  }
  expect(() => DataLock.take('/proc')).toThrow('cannot write /proc/lock: unable to open database file');
});
