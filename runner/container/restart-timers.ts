import { longestBackoffMs } from './restart.ts';
import type { StoredContainer } from './state.ts';

/** One timer for each container whose restart is due at a known time. */
export class RestartTimers implements Disposable {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #clock: () => number;
  readonly #due: (id: string) => void;

  constructor(clock: () => number, due: (id: string) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Sets or clears the timer as the record now says. */
  update(id: string, record: Pick<StoredContainer, 'state' | 'restartAtMs'> | undefined): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    if (record?.state !== 'restarting' || record.restartAtMs === undefined) return;
    // Bounded, so that a clock that was set back does not hold up a restart.
    const waitMs = Math.min(Math.max(0, record.restartAtMs - this.#clock()), longestBackoffMs);
    this.#timers.set(id, setTimeout(this.#due, waitMs, id));
  }

  /** Once more, for a restart that was due and could not be begun. */
  retry(id: string, pauseMs: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.set(id, setTimeout(this.#due, pauseMs, id));
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
