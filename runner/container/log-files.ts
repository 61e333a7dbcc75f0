import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../os/files.ts';
import { originOf } from './log-compression.ts';

/*
 * The files of a container's log: `BASE` is written; by size it becomes `BASE.1`, the next `BASE.2` and so on, and later
 * perhaps `BASE.1.gz`. A number is used once: a name is there or is not, and never means other bytes. Of a file that has been
 * opened as `BASE` the number is known later, by its inode, which no other file has as long as it is open.
 */

/** Where a container's log is: a directory, and the name of the file in it that is written. */
export interface LogLocation {
  readonly directory: string;
  readonly baseName: string;
}

/** A file of a log that is open for reading. */
export interface OpenLogFile {
  readonly handle: FileHandle;
  readonly inode: number;
  /** Undefined: it was the one that is written when it was opened. */
  readonly number: number | undefined;
  readonly compressed: boolean;
}

/** A file of a log as it was when it was listed. */
export interface LogFile {
  /** Undefined: the one that was written. */
  readonly number: number | undefined;
  readonly compressed: boolean;
  /** As it was on disk. */
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/** The path of a rotated file. */
export function rotatedPath({ directory, baseName }: LogLocation, number: number): string {
  return join(directory, `${baseName}.${number}`);
}

/** And of its compressed form. */
export function compressedPath(location: LogLocation, number: number): string {
  return `${rotatedPath(location, number)}.gz`;
}

/** A log's files at one moment. The one that was written then stays open, whatever becomes of its name. */
export class LogFiles implements AsyncDisposable {
  /** Oldest first. */
  readonly files: readonly LogFile[];
  readonly #location: LogLocation;
  readonly #written: FileHandle | undefined;

  private constructor(location: LogLocation, files: readonly LogFile[], written: FileHandle | undefined) {
    this.#location = location;
    this.files = files;
    this.#written = written;
  }

  static async list(location: LogLocation): Promise<LogFiles> {
    // First of all: what is older than this one has its number when the names are read.
    const written = await openWritten(location);
    try {
      const rotated = await rotatedFiles(location);
      if (written === undefined) return new LogFiles(location, rotated, undefined);
      const { ino, size, mtimeMs } = await written.stat();
      const last = { compressed: false, sizeBytes: size, modifiedAtMs: mtimeMs };
      const isWritten = (await writtenInode(location)) === ino;
      // Rotated while the names were read: what is younger may be among them, and is for who reads on.
      const number = isWritten ? undefined : await numberOf(location, ino);
      const older = rotated.filter((file) => number === undefined || (file.number ?? 0) < number);
      if (isWritten || number !== undefined || older.length === 0)
        return new LogFiles(location, [...older, { ...last, number }], written);
      await written.close(); // and deleted since
      return new LogFiles(location, older, undefined);
    } catch (error) {
      await written?.close();
      throw error;
    }
  }

  /** Undefined when it has been deleted since. */
  async open(file: LogFile): Promise<OpenLogFile | undefined> {
    if (this.#written !== undefined && file === this.files.at(-1))
      return opened(await open(`/proc/self/fd/${this.#written.fd}`, 'r'), file.number, false);
    return file.number === undefined ? undefined : openRotated(this.#location, file.number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#written?.close();
  }
}

/** The file that follows an open one, or else the oldest of all; undefined when there is none yet. */
export async function openFollowing(
  location: LogLocation,
  file: OpenLogFile | undefined,
): Promise<OpenLogFile | undefined> {
  // Before the names are read: who is rotated after this is this one.
  const written = await openWritten(location);
  await using unused = new AsyncDisposableStack();
  if (written !== undefined) unused.use(written);
  const isWritten = async () => written !== undefined && (await written.stat()).ino === file?.inode;
  if (file?.number === undefined && (await isWritten())) return undefined;
  const own = file && (file.number ?? (await numberOf(location, file.inode)));
  for (const number of await numbersOf(location)) {
    if (own !== undefined && number <= own) continue; // without a number it has been deleted: what is left is younger
    const following = await openRotated(location, number);
    if (following !== undefined) return following;
  }
  if (written === undefined) return undefined;
  unused.move();
  return opened(written, undefined, false);
}

/** Opens a rotated file in the form that it has by now; undefined when it has been deleted. */
async function openRotated(location: LogLocation, number: number): Promise<OpenLogFile | undefined> {
  // In this order: the compressed form is in its place before the plain one is removed.
  const plain = await open(rotatedPath(location, number), 'r').catch(ignoreMissing);
  if (plain !== undefined) return opened(plain, number, false);
  const compressed = await open(compressedPath(location, number), 'r').catch(ignoreMissing);
  return compressed === undefined ? undefined : opened(compressed, number, true);
}

async function opened(handle: FileHandle, number: number | undefined, compressed: boolean): Promise<OpenLogFile> {
  return { handle, inode: (await handle.stat()).ino, number, compressed };
}

function openWritten({ directory, baseName }: LogLocation): Promise<FileHandle | undefined> {
  return open(join(directory, baseName), 'r').catch(ignoreMissing);
}

async function writtenInode({ directory, baseName }: LogLocation): Promise<number | undefined> {
  return (await stat(join(directory, baseName)).catch(ignoreMissing))?.ino;
}

async function rotatedFiles(location: LogLocation): Promise<LogFile[]> {
  const files: LogFile[] = [];
  for (const number of await numbersOf(location)) {
    const plain = await stat(rotatedPath(location, number)).catch(ignoreMissing);
    const found = plain ?? (await stat(compressedPath(location, number)).catch(ignoreMissing));
    if (found === undefined) continue;
    files.push({ number, compressed: plain === undefined, sizeBytes: found.size, modifiedAtMs: found.mtimeMs });
  }
  return files;
}

/** Which rotated file this one has become; undefined when it is none, or has been deleted since. */
async function numberOf(location: LogLocation, inode: number): Promise<number | undefined> {
  for (const number of (await numbersOf(location)).toReversed()) {
    await using file = new AsyncDisposableStack();
    const found = await openRotated(location, number);
    if (found === undefined) continue;
    file.use(found.handle);
    if ((found.compressed ? await originOf(found.handle) : found.inode) === inode) return number;
  }
  return undefined;
}

/** Of the rotated files, in either form, oldest first. */
async function numbersOf({ directory, baseName }: LogLocation): Promise<number[]> {
  const names = (await readdir(directory).catch(ignoreMissing)) ?? [];
  const numbers = names.flatMap((name) => {
    if (!name.startsWith(`${baseName}.`)) return [];
    const match = /^([1-9]\d*)(?:\.gz)?$/.exec(name.slice(baseName.length + 1));
    return match === null ? [] : [Number(match[1])];
  });
  return [...new Set(numbers)].toSorted((a, b) => a - b);
}

function ignoreMissing(error: unknown): undefined {
  if (isErrno(error, 'ENOENT')) return undefined;
  throw error;
}
