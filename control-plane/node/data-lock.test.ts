import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bootstrapSecret } from './bootstrap-secret.ts';
import { DataLock } from './data-lock.ts';

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
