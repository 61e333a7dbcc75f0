import { readFile } from 'node:fs/promises';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../os/files.ts';

/** How many processes the kernel has killed for want of memory, by a memory.events text (kernel, cgroup-v2.rst). */
export function oomKills(memoryEvents: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(memoryEvents)?.[1] ?? 0);
}

/**
 * Calls back once, when the kernel has killed a process of a cgroup for want of memory: the container may go on without it.
 * The kernel tells of each change of memory.events as of a file's modification. Nothing where there is no such file.
 */
export function watchOom(directory: string, onKill: () => void): Disposable {
  const path = join(directory, 'memory.events');
  let over = false;
  const look = async (): Promise<void> => {
    const text = await readFile(path, 'utf8').catch(() => ''); // the cgroup went: its end tells
    if (over || oomKills(text) === 0) return;
    end();
    onKill();
  };
  const watcher = start(path, () => void look());
  const end = (): void => {
    over = true;
    watcher?.close();
  };
  if (watcher !== undefined) void look(); // what happened before the watch
  return { [Symbol.dispose]: end };
}

function start(path: string, onChange: () => void): ReturnType<typeof watch> | undefined {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on('error', () => watcher.close()); // the cgroup went
    return watcher;
  } catch (error) {
    // ENOSPC, EMFILE: the host has no more watches. The end of the container still tells.
    if (isErrno(error, 'ENOENT', 'ENODEV', 'ENOSPC', 'EMFILE')) return undefined;
    throw error;
  }
}
