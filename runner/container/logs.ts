import { watch } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseLogLine } from './log-entry.ts';
import { LogFiles, type LogLocation } from './log-files.ts';
import { LogReader } from './log-reader.ts';
import { tailPosition, type LogPosition } from './log-tail.ts';
import type { LogEntry, LogOptions } from './engine.ts';

/** Where a container's log is and whether more may come. */
export interface LogSource extends LogLocation {
  /** False once the container has ended for good: what is written then is all there will be. */
  isLive(): boolean;
  /** Calls `wake` at each change of `isLive`. */
  onChange(wake: () => void): Disposable;
}

/** inotify tells of each write; the poll is for file systems that have none. */
const fallbackPollMs = 1000;

/**
 * The entries of a container's log, oldest first. With `follow` it goes on until the container has ended and all is
 * read, or `signal` aborts, which ends it without an error.
 */
export async function* readLogs(source: LogSource, options: LogOptions): AsyncGenerator<LogEntry> {
  const sinceMs = options.sinceMs ?? 0;
  await using reader = new LogReader(source);
  using activity = new LogActivity(source);
  await openAt(reader, source, options);
  for (;;) {
    const seen = activity.count;
    const live = source.isLive(); // before reading: what a container wrote before its end is read after it
    for (let lines = await reader.next(); lines.length > 0; lines = await reader.next()) {
      for (const line of lines) {
        if (options.signal?.aborted === true) return;
        const entry = parseLogLine(line);
        if (entry !== undefined && (sinceMs === 0 || Date.parse(entry.time) >= sinceMs)) yield entry;
      }
    }
    if (!options.follow || !live || options.signal?.aborted === true) return;
    await activity.after(seen, options.signal);
  }
}

async function openAt(reader: LogReader, source: LogSource, options: LogOptions): Promise<void> {
  await using log = await LogFiles.list(source);
  const start = await startPosition(log, options);
  // Rotation can delete the very file that was chosen: then the next is where the log begins.
  for (const [at, file] of log.files.entries()) {
    if (at < start.file) continue;
    const open = await log.open(file);
    if (open !== undefined) return reader.goTo(open, at === start.file ? start.offset : 0);
  }
}

async function startPosition(log: LogFiles, options: LogOptions): Promise<LogPosition> {
  if (options.tail !== undefined) return tailPosition(log, options.tail);
  const since = options.sinceMs;
  // A file last written before that time has nothing younger in it.
  const first = since === undefined ? 0 : log.files.findIndex((file) => file.modifiedAtMs >= since);
  return { file: first < 0 ? Math.max(0, log.files.length - 1) : first, offset: 0 };
}

/** Counts what may mean new log lines, so that a wake-up between a read and a wait is never missed. */
class LogActivity implements Disposable {
  count = 0;
  readonly #stop: () => void;
  #wake: (() => void) | undefined;

  constructor(source: LogSource) {
    const happened = (): void => {
      this.count += 1;
      this.#wake?.();
    };
    const changes = source.onChange(happened);
    const watcher = watchDirectory(source.directory, happened);
    this.#stop = () => {
      changes[Symbol.dispose]();
      watcher();
    };
  }

  async after(seen: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.count !== seen || signal?.aborted === true) return;
    const timer = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const aborted = (): void => this.#wake?.();
    signal?.addEventListener('abort', aborted, { once: true });
    const poll = delay(fallbackPollMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([woken, poll]);
    timer.abort();
    signal?.removeEventListener('abort', aborted);
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

function watchDirectory(directory: string, happened: () => void): () => void {
  try {
    const watcher = watch(directory, happened);
    watcher.on('error', () => watcher.close()); // the directory was removed, or inotify's limit is reached: the poll remains
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}
