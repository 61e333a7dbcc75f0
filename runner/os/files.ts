import { execFile } from 'node:child_process';
import { mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** True for a failed system call with this error name (`ENOENT`). */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && names.includes(String(error.code));
}

/**
 * Replaces a file whole: after a crash it has its old content or the new one, never a part. A left-over temporary file
 * beside it (`NAME.tmp`) is overwritten by the next write.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.tmp`;
  {
    await using file = await open(temporary, 'w', mode);
    await file.writeFile(content);
    await file.chmod(mode); // the mode given to open is subject to the umask
    await file.sync();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

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
    if (!isErrno(error, 'EEXIST') || !(await stat(path)).isDirectory()) throw error;
  }
}

/** Removes a file or a directory with all that is in it; one that is not there is no error. Follows no symbolic link. */
export async function removeTree(path: string): Promise<void> {
  try {
    // Somebody who has it open may make a last file in it: ENOTEMPTY, once.
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!isErrno(error, 'ENAMETOOLONG')) throw error;
    // Node calls every file by its whole path, and a container can make a tree that is deeper than a path is long.
    await run('/bin/rm', ['-rf', '--', path]);
  }
}

/** How many entries `removeFewFiles` takes. */
const FEW_ENTRIES = 64;

/**
 * As `removeTree`, for a tree that mostly has few entries, as a container leaves it that wrote little: with a third of
 * the calls, all files of a directory at once. Not synchronous: a removal waits for the journal while others sync.
 */
export async function removeFewFiles(path: string): Promise<void> {
  let left = FEW_ENTRIES;
  const removeDirectory = async (directory: string): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true });
    left -= entries.length;
    if (left < 0) return removeTree(directory);
    const removed = entries.map((entry) => {
      const inner = join(directory, entry.name);
      return entry.isDirectory() ? removeDirectory(inner) : unlink(inner);
    });
    await Promise.all(removed);
    await rmdir(directory);
  };
  try {
    await removeDirectory(path);
  } catch {
    await removeTree(path); // whatever it was, this says why
  }
}
