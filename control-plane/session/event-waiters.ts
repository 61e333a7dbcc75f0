import { SingleFlight } from './single-flight.ts';

/** How long a waiter relies on `notify` alone: events that the API wrote are found by asking again so often. */
const ASK_AGAIN_MS = 1_000;

/** Readers of the event log that wait for something newer; while there are none, nothing is asked of the store. */
export class EventWaiters {
  readonly #refresh: SingleFlight;
  readonly #sleepers = new Set<() => void>();
  #newest = 0;

  /** @param newestEventId reads the newest event's id from the store */
  constructor(newestEventId: () => Promise<number>) {
    this.#refresh = new SingleFlight(async () => {
      this.#newest = await newestEventId();
    });
  }

  /** Something was written: everyone who waits looks again. */
  notify(): void {
    for (const wake of this.#sleepers) wake();
  }

  /** Resolves when an event's id is over `after`, `waitMs` has passed or the signal aborts. */
  async wait(after: number, waitMs: number, signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + waitMs;
    while (!signal.aborted) {
      await this.#refresh.request();
      const leftMs = deadline - Date.now();
      if (this.#newest > after || leftMs <= 0) return;
      await this.#sleep(Math.min(leftMs, ASK_AGAIN_MS), signal);
    }
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake);
      this.#sleepers.add(wake);
    });
  }
}
