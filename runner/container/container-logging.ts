import type { LogEntry, LogOptions } from './engine.ts';
import { isActive } from './ending.ts';
import { pathsOf, type EngineContext } from './engine-context.ts';
import { LogCompressor } from './log-compressor.ts';
import { logDriver, logPolicy, logUnreadable } from './log-policy.ts';
import { readLogs } from './logs.ts';
import type { StoredContainer } from './state.ts';

/** The shim's log, in the state directory; rotated files have `.1`, `.2` … after it, the higher the younger. */
const baseName = 'container.log';

/** The logs of an engine's containers: reads them, and compresses what the shims have rotated. */
export class ContainerLogging implements AsyncDisposable {
  readonly #context: EngineContext;
  readonly #compressor: LogCompressor;

  constructor(context: EngineContext) {
    this.#context = context;
    this.#compressor = new LogCompressor(baseName, context.log);
  }

  /** @throws BerthError `container.unknown`, `container.log-unreadable` */
  read(id: string, options: LogOptions): AsyncIterable<LogEntry> {
    const { store } = this.#context;
    if (logDriver(store.require(id).config) === 'none') throw logUnreadable();
    const isLive = (): boolean => {
      const record = store.get(id);
      return record !== undefined && isActive(record);
    };
    const onChange = (wake: () => void): Disposable =>
      store.onChange((changed) => (changed === id ? wake() : undefined));
    return readLogs({ directory: pathsOf(this.#context, id).state, baseName, isLive, onChange }, options);
  }

  /** A run has begun, or the runner has: what is rotated, then and from now on, is compressed. */
  follow(id: string): void {
    const record = this.#context.store.get(id);
    if (record === undefined || !isCompressed(record)) return;
    const directory = pathsOf(this.#context, id).state;
    if (this.#context.live.has(id)) this.#compressor.follow(id, directory);
    else this.#compressor.request(id, directory);
  }

  /** A run has ended, or the container is gone: what is left is compressed. */
  ended(id: string): void {
    this.#compressor.forget(id);
    this.follow(id);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#compressor[Symbol.asyncDispose]();
  }
}

function isCompressed({ id, config }: StoredContainer): boolean {
  try {
    return logPolicy(id, config).compress;
  } catch {
    return false; // told by the start, which fails
  }
}
