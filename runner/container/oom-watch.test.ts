import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { oomKills, watchOom } from './oom-watch.ts';

test('the kernel’s count of killed processes', () => {
  expect(oomKills('low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n')).toBe(2);
  expect(oomKills('')).toBe(0);
});

test('a kill is told once, also one from before', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-oom-'));
  try {
    const path = join(directory, 'memory.events');
    await writeFile(path, 'oom 0\noom_kill 0\n');
    let told = 0;
    using watches = new DisposableStack();
    watches.use(watchOom(directory, () => (told += 1)));
    await writeFile(path, 'oom 1\noom_kill 1\n');
    await expect.poll(() => told).toBe(1);
    await writeFile(path, 'oom 2\noom_kill 2\n');
    watches.use(watchOom(directory, () => (told += 10)));
    await expect.poll(() => told).toBe(11);
    watches.use(watchOom(join(directory, 'none'), () => (told += 100)));
  } finally {
    await rm(directory, { recursive: true });
  }
});
