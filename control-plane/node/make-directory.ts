import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a private directory (0700) and those above it; one that is there already stays as it is. One by one, because
 * `mkdir` with `recursive` tries for ever where a file system refuses a new directory with ENOENT, as proc does.
 */
export async function makeDirectory(path: string): Promise<void> {
  const outer = dirname(path);
  if (outer !== path) await makeDirectory(outer);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory();
    if (!isThere) throw error;
  }
}
