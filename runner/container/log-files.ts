import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../os/files.ts';

/** One file of a container's log, found by name; `inode` tells it again after a rotation has renamed it. */
export interface LogFile {
  readonly path: string;
  readonly inode: number;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/**
 * The files of a rotated log, oldest first: `BASE.2`, `BASE.1`, `BASE`. A file that is rotated away while we look is
 * left out or found under its new name, never twice.
 */
export async function logFiles(directory: string, baseName: string): Promise<LogFile[]> {
  const names = (await namesIn(directory)).flatMap((name) => {
    if (name === baseName) return [{ name, age: 0 }];
    const age = name.startsWith(`${baseName}.`) ? name.slice(baseName.length + 1) : '';
    return /^[1-9]\d*$/.test(age) ? [{ name, age: Number(age) }] : [];
  });
  const files = new Map<number, LogFile>();
  for (const { name } of names.toSorted((a, b) => b.age - a.age)) {
    const path = join(directory, name);
    const found = await stat(path).catch(ignoreMissing);
    if (found === undefined) continue;
    files.delete(found.ino); // renamed in between: its younger name was the older one
    files.set(found.ino, { path, inode: found.ino, sizeBytes: found.size, modifiedAtMs: found.mtimeMs });
  }
  return [...files.values()];
}

/** Opens a log file for reading; undefined when it has been rotated away since it was listed. */
export async function openLogFile(file: LogFile): Promise<FileHandle | undefined> {
  const handle = await open(file.path, 'r').catch(ignoreMissing);
  if (handle === undefined) return undefined;
  if ((await handle.stat()).ino === file.inode) return handle;
  await handle.close();
  return undefined;
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(ignoreMissing)) ?? [];
}

function ignoreMissing(error: unknown): undefined {
  if (isErrno(error, 'ENOENT')) return undefined;
  throw error;
}
