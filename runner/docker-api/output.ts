import type { Writable } from 'node:stream';

/**
 * One client's end of a streamed answer. A write resolves when the client can take more, so whoever writes waits for its
 * own reader and for nobody else's; nothing is buffered beyond one piece.
 */
export class Output {
  readonly #writable: Writable;
  readonly #gone = new AbortController();
  readonly #ready: Promise<unknown> | undefined;

  /** @param ready nothing is written before */
  constructor(writable: Writable, ready?: Promise<unknown>) {
    this.#writable = writable;
    this.#ready = ready;
    writable.on('error', () => {}); // close follows
    writable.once('close', () => this.#gone.abort(new Error('the client has gone')));
    if (writable.destroyed) this.#gone.abort(new Error('the client has gone'));
  }

  /** Aborted when the client has gone. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** @throws the signal's reason when the client has gone */
  async write(chunk: Uint8Array | string): Promise<void> {
    const { signal } = this.#gone;
    if (this.#ready !== undefined) await this.#ready;
    signal.throwIfAborted();
    if (this.#writable.write(chunk)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const drained = (): void => resolve();
    const aborted = (): void => reject(signal.reason);
    this.#writable.once('drain', drained);
    signal.addEventListener('abort', aborted, { once: true });
    try {
      await promise;
    } finally {
      this.#writable.off('drain', drained);
      signal.removeEventListener('abort', aborted);
    }
  }

  /** One JSON value as a line. */
  json(value: unknown): Promise<void> {
    return this.write(`${JSON.stringify(value)}\n`);
  }
}
