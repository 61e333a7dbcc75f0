import { randomSecret } from '#shared/id.ts';
import { HranaEngine, toHranaError, type StoredSql } from './hrana-engine.ts';
import type { HranaPipeline } from './hrana-message.ts';

/** How long a stream may hold a transaction open between two pipelines, in milliseconds; sqld allows the same. */
const TRANSACTION_MS = 5_000;
/** Most streams that may be remembered; the oldest is given up for a new one. */
const MAX_STREAMS = 1_000;

interface Stream {
  readonly stored: StoredSql;
}

export interface HranaPipelineResult {
  readonly baton: string | null;
  readonly base_url: null;
  readonly results: readonly object[];
}

/**
 * FOR DEVELOPMENT AND TESTS ONLY: the streams of Hrana over HTTP on an embedded database file, so that the Workers build
 * of the control plane can be run on one machine. In production this is Turso or a self-hosted sqld.
 *
 * Invariants: one connection; pipelines run one at a time; a stream that leaves a transaction open keeps the turn until
 * its next pipeline ends it, or its time is over and it is rolled back. A baton is good for one pipeline.
 */
export class HranaStreams implements Disposable {
  readonly #engine: HranaEngine;
  readonly #streams = new Map<string, Stream>();
  readonly #waiting: (() => void)[] = [];
  #busy = false;
  /** The baton of the stream that holds the turn between pipelines, and what gives it up. */
  #holder: { readonly baton: string; readonly timer: NodeJS.Timeout } | undefined;

  constructor(path: string) {
    this.#engine = new HranaEngine(path);
  }

  /** Runs one pipeline when it is its turn; undefined when the baton is unknown or was given up. */
  async run(pipeline: HranaPipeline): Promise<HranaPipelineResult | undefined> {
    const baton = pipeline.baton ?? undefined;
    await this.#takeTurn(baton);
    let isHeld = false;
    try {
      const stream = baton === undefined ? { stored: new Map() } : this.#streams.get(baton);
      if (stream === undefined) return undefined;
      if (baton !== undefined) this.#streams.delete(baton);
      const results = pipeline.requests.map((request) => {
        try {
          return { type: 'ok', response: this.#engine.answer(request, stream.stored) };
        } catch (error) {
          return { type: 'error', error: toHranaError(error) };
        }
      });
      const isClosed = pipeline.requests.some(({ type }) => type === 'close');
      if (isClosed) this.#engine.rollback();
      const next = isClosed ? null : this.#remember(stream);
      if (next !== null && !this.#engine.isAutocommit) {
        this.#hold(next);
        isHeld = true;
      }
      return { baton: next, base_url: null, results };
    } finally {
      if (!isHeld) this.#passTurn();
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#holder?.timer);
    this.#engine.rollback();
    this.#engine[Symbol.dispose]();
  }

  async #takeTurn(baton: string | undefined): Promise<void> {
    if (this.#holder !== undefined && this.#holder.baton === baton) {
      clearTimeout(this.#holder.timer);
      this.#holder = undefined;
      return;
    }
    if (this.#busy) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#busy = true;
  }

  #passTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy = false;
    else next();
  }

  #hold(baton: string): void {
    const timer = setTimeout(() => {
      this.#holder = undefined;
      this.#streams.delete(baton);
      this.#engine.rollback();
      this.#passTurn();
    }, TRANSACTION_MS);
    this.#holder = { baton, timer };
  }

  #remember(stream: Stream): string {
    const baton = randomSecret('');
    this.#streams.set(baton, stream);
    const oldest = this.#streams.keys().next().value;
    if (this.#streams.size > MAX_STREAMS && oldest !== undefined) this.#streams.delete(oldest);
    return baton;
  }
}
