import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitUntil } from './wait-until.ts';

/**
 * The host pid of a container's first process, by what the kernel says: a process in the cgroup that is named for the
 * container, and number 1 in its own pid namespace.
 */
export async function firstProcess(containerId: string): Promise<number | undefined> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [cgroup, status] = await Promise.all([readProc(name, 'cgroup'), readProc(name, 'status')]);
    const isFirst = /^NSpid:.*\t1$/m.test(status);
    if (isFirst && cgroup.includes(containerId)) return Number(name);
  }
  return undefined;
}

/** Empty when the process has ended. */
function readProc(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

/** Kills all that lives in a runner's cgroups, and removes them: for what a failed run leaves. */
export async function removeCgroups(instance: string, signal: AbortSignal): Promise<void> {
  const root = await unifiedRoot();
  if (root === undefined) return;
  for (const name of await readdir(root)) {
    if (name.startsWith('berth') && name.includes(instance)) await removeTree(join(root, name), signal);
  }
}

/** Where the cgroup v2 hierarchy is mounted. */
export async function unifiedRoot(): Promise<string | undefined> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '))
    ?.split(' ')[4];
}

async function removeTree(path: string, signal: AbortSignal): Promise<void> {
  await writeFile(join(path, 'cgroup.kill'), '1').catch(() => {}); // gone already
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeTree(join(path, entry.name), signal);
  }
  // Busy until the last killed process has been reaped.
  const remove = async (): Promise<true> => {
    await rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    return true;
  };
  await waitUntil(`${path} to be empty`, remove, { signal });
}
