import { mkdtemp, readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeCgroupFiles } from './cgroup-files.ts';
import { KeptFile } from './kept-file.ts';

test('when a write is refused, the ones before it are taken back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-cgroup-files-'));
  try {
    await writeFile(join(directory, 'memory.max'), '100\n');
    await writeFile(join(directory, 'pids.max'), 'max\n');
    await mkdir(join(directory, 'cpu.max')); // cannot be written
    const writes = [
      ['memory.max', '200'],
      ['pids.max', '8'],
      ['cpu.max', 'max'],
    ] as const;
    await expect(writeCgroupFiles(directory, writes)).rejects.toMatchObject({ code: 'cgroup.write-failed' });
    expect((await readFile(join(directory, 'memory.max'), 'utf8')).startsWith('100')).toBe(true);
    expect((await readFile(join(directory, 'pids.max'), 'utf8')).startsWith('max')).toBe(true);
    await writeCgroupFiles(directory, writes.slice(0, 1));
    expect((await readFile(join(directory, 'memory.max'), 'utf8')).startsWith('200')).toBe(true);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a kept file is read anew each time, however long it is; one that is not there is empty', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-kept-'));
  try {
    const path = join(directory, 'file');
    await writeFile(path, 'a'.repeat(100_000));
    using file = new KeptFile(path);
    expect(file.read()).toHaveLength(100_000);
    await writeFile(path, 'short');
    expect(file.read()).toBe('short');
    using missing = new KeptFile(join(directory, 'none'));
    expect(missing.read()).toBe('');
  } finally {
    await rm(directory, { recursive: true });
  }
});
