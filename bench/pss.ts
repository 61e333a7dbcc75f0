import { readFile, readdir } from 'node:fs/promises';

/** Proportional set size of a process in bytes (proc(5), smaps_rollup); 0 when it is gone. */
export async function pssBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

/**
 * Resident set size of a process in bytes; 0 when it is gone. For a program that is alone on its host it is what its PSS
 * would be there; here, other processes of the same Node share its pages, and would halve the PSS.
 */
export async function rssBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Rss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

/** All processes below `root` in the process tree, and itself, with their command names. */
export async function processTree(root: number): Promise<readonly { pid: number; command: string }[]> {
  const rows: { pid: number; parent: number; command: string }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const match = /^(\d+) \((.*)\) \S (\d+)/s.exec(stat);
    if (match !== null) rows.push({ pid: Number(match[1]), parent: Number(match[3]), command: match[2] ?? '' });
  }
  const wanted = new Set([root]);
  for (let grew = true; grew;) {
    grew = false;
    for (const row of rows) {
      if (wanted.has(row.parent) && !wanted.has(row.pid)) {
        wanted.add(row.pid);
        grew = true;
      }
    }
  }
  return rows.filter((row) => wanted.has(row.pid));
}
