import { open, type FileHandle } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { errorText } from '#shared/errors.ts';

/** How long a deferred commit that nobody waits for may stay off the disk, in milliseconds. */
const LATEST_SYNC_MS = 500;

/**
 * runner.db, with group commit. A statement's effect is on disk when it returns (write-ahead log, synchronous full),
 * but for those in `defer`: theirs is in the log file, so that the end of this process, however sudden, cannot undo
 * it; on disk it is when a `synced` asked for afterwards has resolved. Many commits share one sync, which is made on
 * another thread.
 *
 * The log is one file that a restart reads up to its first broken frame (sqlite.org/wal.html): what a loss of power
 * takes is always the newest, and a commit that is on disk has all before it there too.
 */
export class RunnerDatabase extends DatabaseSync {
  readonly #logPath: string;
  #log: Promise<FileHandle> | undefined;
  /** Something was deferred since the last sync began. */
  #isBehind = false;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  constructor(path: string) {
    super(path, { timeout: 5000 });
    this.#logPath = `${path}-wal`;
    this.exec(
      'pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on',
    );
  }

  /** Runs statements, outside of a transaction, whose commits are not synced. */
  defer<Result>(statements: () => Result): Result {
    this.exec('pragma synchronous = normal');
    try {
      return statements();
    } finally {
      this.exec('pragma synchronous = full');
      this.#isBehind = true;
      this.#timer ??= setTimeout(() => void this.synced().catch(() => undefined), LATEST_SYNC_MS).unref();
    }
  }

  /**
   * Resolves when all that has been committed until now is on disk. Once a sync has failed it always rejects: the kernel
   * tells of a failed write only once, and a sync after it says nothing of what was lost.
   */
  synced(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#next !== undefined) return this.#next;
    if (!this.#isBehind) return this.#current ?? Promise.resolve();
    this.#next = this.#sync(this.#current);
    return this.#next;
  }

  async #sync(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => undefined); // whoever waits for that one is told
    const own = this.#next;
    this.#current = own;
    this.#next = undefined;
    this.#isBehind = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      this.#log ??= this.#openLog();
      await this.#write(await this.#log);
    } catch (error) {
      this.#isBehind = true;
      throw error;
    } finally {
      if (this.#current === own) this.#current = undefined;
    }
  }

  async #write(log: FileHandle): Promise<void> {
    try {
      await log.datasync();
    } catch (cause) {
      this.#failure = new Error(`sync ${this.#logPath}: ${errorText(cause)}; restart the runner`, { cause });
      throw this.#failure;
    }
  }

  /** A descriptor of our own: the log is one file while the database is open, and SQLite's locks are on another one. */
  async #openLog(): Promise<FileHandle> {
    try {
      return await open(this.#logPath, 'r+');
    } catch (error) {
      this.#log = undefined; // for want of descriptors, say
      throw error;
    }
  }

  /** Syncs what is deferred, and lets go of the file. */
  override close(): void {
    clearTimeout(this.#timer);
    void this.#log?.then((log) => log.close()).catch(() => undefined);
    super.close();
  }

  override [Symbol.dispose](): void {
    if (this.isOpen) this.close();
  }
}
