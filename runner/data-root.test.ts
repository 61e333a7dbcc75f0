import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtempDisposable, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataRoot } from './data-root.ts';

test('a data root is made private, and is one process’s alone until that ends', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-root-'));
  const path = join(directory.path, 'a', 'b');
  const source = `
    const { openDataRoot } = await import(${JSON.stringify(join(import.meta.dirname, 'data-root.ts'))});
    await openDataRoot(${JSON.stringify(path)});
    console.log('open');
    setInterval(() => {}, 1000);
  `;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  await expect(openDataRoot(path)).rejects.toMatchObject({
    code: 'data-root.in-use',
    message: `The data root ${path} is in use by another runner (pid ${holder.pid})`,
  });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  using again = await openDataRoot(path);
  expect(again.path).toBe(path);
});

test('a directory with other files in it that is open to others is left alone', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-root-'));
  const path = join(directory.path, 'shared');
  await mkdir(path);
  await chmod(path, 0o755);
  await writeFile(join(path, 'letter'), '');
  await expect(openDataRoot(path)).rejects.toMatchObject({ code: 'data-root.not-ours' });
  expect((await stat(path)).mode & 0o777).toBe(0o755);
  await writeFile(join(directory.path, 'file'), '');
  for (const unusable of [join(directory.path, 'file'), '/proc/berth', '/proc/berth/data']) {
    await expect(openDataRoot(unusable)).rejects.toMatchObject({ code: 'data-root.unusable' });
  }
});
