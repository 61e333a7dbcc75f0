import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../os/files.ts';

/** One file of a container's log, found by name; `inode` tells it again after a rotation has renamed it. */
export interface LogFile {
  readonly path: string;
  readonly inode: number;
  /** Rotated, and compressed since. */
  readonly compressed: boolean;
  /** 0 is the one that is written; the higher, the older. */
  readonly place: number;
  /** As it is on disk. */
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/** How often a listing is made again when the names change under it. */
const attempts = 50;

/**
 * The files of a rotated log, oldest first: `BASE.2.gz`, `BASE.1`, `BASE`. Names are moved one by one while a log rotates, so a
 * listing counts when the next is the same: a file in between would else be passed over.
 */
export async function logFiles(directory: string, baseName: string): Promise<LogFile[]> {
  let files = await listing(directory, baseName);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const again = await listing(directory, baseName);
    if (isSame(files, again)) return again;
    files = again;
  }
  return files;
}

function isSame(one: readonly LogFile[], other: readonly LogFile[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ inode, path, place, modifiedAtMs }, at) => {
      const same = other[at]?.inode === inode && other[at]?.path === path;
      return same && (place === 0 || other[at]?.modifiedAtMs === modifiedAtMs);
    })
  );
}

async function listing(directory: string, baseName: string): Promise<LogFile[]> {
  const places = (await namesIn(directory)).flatMap((name) => {
    if (name === baseName) return [{ name, place: 0, compressed: false }];
    const match = name.startsWith(`${baseName}.`) ? /^([1-9]\d*)(\.gz)?$/.exec(name.slice(baseName.length + 1)) : null;
    return match === null ? [] : [{ name, place: Number(match[1]), compressed: match[2] !== undefined }];
  });
  const files = new Map<number, LogFile>();
  // Where a crash left a file in both forms, the plain one counts.
  const oldestFirst = places.toSorted((a, b) => b.place - a.place || Number(b.compressed) - Number(a.compressed));
  for (const [at, { name, place, compressed }] of oldestFirst.entries()) {
    if (compressed && oldestFirst[at + 1]?.place === place) continue;
    const path = join(directory, name);
    const found = await stat(path).catch(ignoreMissing);
    if (found === undefined) continue;
    files.delete(found.ino); // renamed in between: its younger name was the older one
    const file = { path, inode: found.ino, compressed, place, sizeBytes: found.size, modifiedAtMs: found.mtimeMs };
    files.set(found.ino, file);
  }
  return [...files.values()];
}

/** Opens a log file for reading; undefined when it has been rotated away since it was listed. */
export async function openLogFile(file: Pick<LogFile, 'path' | 'inode'>): Promise<FileHandle | undefined> {
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
