import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The content of all files of a tree, in bytes; a file with several names counts once. No link is followed. */
export async function treeBytes(root: string): Promise<number> {
  const seen = new Set<number>();
  const waiting = [root];
  let bytes = 0;
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile()) {
        const status = await lstat(path).catch(() => undefined);
        if (status === undefined || (status.nlink > 1 && seen.has(status.ino))) continue;
        seen.add(status.ino);
        bytes += status.size;
      }
    }
  }
  return bytes;
}
