import { watch, type FSWatcher } from 'node:fs';
import { open, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '#shared/errors.ts';
import { isErrno } from '../os/files.ts';
import type { EngineLog } from './engine-context.ts';
import { writeCompressed } from './log-compression.ts';
import { compressedPath, LogFiles, rotatedPath, type LogLocation } from './log-files.ts';

/**
 * Compresses what the shims rotate. Invariants: one file at a time, so that logs never take more than a thread; a file is
 * written whole and synced before it gets its name; who stops half way leaves the plain file, which the next look finds,
 * and while both are there the plain one counts.
 */
export class LogCompressor implements AsyncDisposable {
  readonly #baseName: string;
  readonly #log: EngineLog;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #due = new Map<string, string>();
  #working: Promise<void> | undefined;
  #disposed = false;

  constructor(baseName: string, log: EngineLog) {
    this.#baseName = baseName;
    this.#log = log;
  }

  /** From now on what is rotated in this directory is compressed, until `forget`. */
  follow(id: string, directory: string): void {
    if (this.#disposed || this.#watchers.has(id)) return;
    try {
      const watcher = watch(directory, (kind) => (kind === 'rename' ? this.request(id, directory) : undefined));
      watcher.on('error', () => this.forget(id)); // the directory is gone, or inotify's limit is reached: at its end, then
      this.#watchers.set(id, watcher);
    } catch (error) {
      this.#log('warn', `Container ${id.slice(0, 12)}: its log is compressed at its end: ${errorText(error)}`);
    }
    this.request(id, directory);
  }

  forget(id: string): void {
    this.#watchers.get(id)?.close();
    this.#watchers.delete(id);
  }

  /** Compresses what is rotated in this directory and not compressed. */
  request(id: string, directory: string): void {
    if (this.#disposed) return;
    this.#due.set(id, directory);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const id of this.#watchers.keys()) this.forget(id);
    this.#due.clear();
    await this.#working;
  }

  async #work(): Promise<void> {
    for (;;) {
      const [next] = this.#due;
      if (next === undefined) return;
      this.#due.delete(next[0]);
      try {
        await this.#compressAll(next[1]);
      } catch (error) {
        this.#log('warn', `Container ${next[0].slice(0, 12)}: compress its log: ${errorText(error)}`);
      }
    }
  }

  async #compressAll(directory: string): Promise<void> {
    const location = { directory, baseName: this.#baseName };
    while (!this.#disposed) {
      // The youngest first: the oldest will be deleted the soonest.
      const number = await youngestPlain(location);
      if (number === undefined) return;
      await compressRotated(location, number);
    }
  }
}

async function youngestPlain(location: LogLocation): Promise<number | undefined> {
  await using log = await LogFiles.list(location);
  return log.files.findLast((file) => !file.compressed && file.number !== undefined)?.number;
}

/** Replaces a rotated file by its compressed form, unless the shim deletes it meanwhile. */
async function compressRotated(location: LogLocation, number: number): Promise<void> {
  const plain = rotatedPath(location, number);
  const compressed = compressedPath(location, number);
  const waiting = join(location.directory, `${location.baseName}.gz.new`);
  try {
    await using file = await open(plain, 'r');
    await writeCompressed(file, waiting);
    await rename(waiting, compressed);
    await unlink(plain);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    // The shim looks for both forms, the plain one first: one of us two finds the compressed one.
    await rm(compressed, { force: true });
  }
}
