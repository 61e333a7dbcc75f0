import { watch, type FSWatcher } from 'node:fs';
import { errorText, isBerthError } from '#shared/errors.ts';
import type { EngineLog } from './engine-context.ts';
import { writeCompressed } from './log-compression.ts';
import { logFiles, type LogFile } from './log-files.ts';

export interface LogCompressorOptions {
  readonly baseName: string;
  readonly log: EngineLog;
  /** Puts the compressed form of a rotated file in its place; rejects when that file is no longer there. */
  readonly place: (id: string, directory: string, file: LogFile) => Promise<void>;
}

/**
 * Compresses what the shims rotate. Invariants: one file at a time, so that logs never take more than a thread; a file is
 * written whole and synced before it gets its name; who stops half way leaves the plain file, which the next look finds.
 */
export class LogCompressor implements AsyncDisposable {
  readonly #options: LogCompressorOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #due = new Map<string, string>();
  #working: Promise<void> | undefined;
  #disposed = false;

  constructor(options: LogCompressorOptions) {
    this.#options = options;
  }

  /** From now on what is rotated in this directory is compressed, until `forget`. */
  follow(id: string, directory: string): void {
    if (this.#disposed || this.#watchers.has(id)) return;
    try {
      const watcher = watch(directory, (kind) => (kind === 'rename' ? this.request(id, directory) : undefined));
      watcher.on('error', () => this.forget(id)); // the directory is gone, or inotify's limit is reached: at its end, then
      this.#watchers.set(id, watcher);
    } catch (error) {
      this.#options.log('warn', `Container ${id.slice(0, 12)}: its log is compressed at its end: ${errorText(error)}`);
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
        await this.#compressAll(...next);
      } catch (error) {
        this.#options.log('warn', `Container ${next[0].slice(0, 12)}: compress its log: ${errorText(error)}`);
      }
    }
  }

  async #compressAll(id: string, directory: string): Promise<void> {
    const { baseName, place } = this.#options;
    while (!this.#disposed) {
      const files = await logFiles(directory, baseName);
      // The youngest first: the oldest will be deleted the soonest.
      const file = files.findLast(({ compressed, place: at }) => !compressed && at > 0);
      if (file === undefined) return;
      const plain = await writeCompressed(directory, baseName, file);
      if (plain === undefined) continue;
      await using _ = plain; // open until the other is in its place
      try {
        await place(id, directory, file);
      } catch (error) {
        // Its end asks for this again.
        if (isBerthError(error) && error.code === 'shim.gone') return;
        const left = await logFiles(directory, baseName);
        if (left.some(({ inode }) => inode === file.inode)) throw error; // not only rotated away meanwhile
      }
    }
  }
}
