import { MAX_TIMER_MS } from '#shared/duration.ts';

/** Asked from anywhere, waited for by one loop. Any number of calls between two waits are one. */
export class WakeUp {
  #asked = false;
  #waiting: (() => void) | undefined;

  ask(): void {
    this.#asked = true;
    this.#waiting?.();
  }

  /** Resolves when asked since the last wait, after `timeoutMs` (undefined: never), or when `signal` aborts. */
  async wait(timeoutMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (!this.#asked && !signal.aborted) {
      const { promise, resolve: settle } = Promise.withResolvers<void>();
      const resolve = (): void => settle();
      this.#waiting = resolve;
      const timer =
        timeoutMs === undefined ? undefined : setTimeout(resolve, Math.min(Math.max(timeoutMs, 0), MAX_TIMER_MS));
      signal.addEventListener('abort', resolve);
      await promise;
      signal.removeEventListener('abort', resolve);
      clearTimeout(timer);
      this.#waiting = undefined;
    }
    this.#asked = false;
  }
}
