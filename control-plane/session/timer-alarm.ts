import { MAX_TIMER_MS } from '#shared/duration.ts';
import type { Alarm } from './alarm.ts';

/** An alarm in this process's memory. A restarted process begins with `ClusterHub.start`, which sets it anew. */
export class TimerAlarm implements Alarm, Disposable {
  readonly #ring: () => void;
  #set: { readonly atMs: number; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  #isDisposed = false;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  ensure(atMs: number): void {
    if (this.#isDisposed || (this.#set !== undefined && this.#set.atMs <= atMs)) return;
    clearTimeout(this.#set?.timer);
    // Over a timer's reach the alarm rings early, which is harmless.
    const waitMs = Math.min(Math.max(atMs - Date.now(), 0), MAX_TIMER_MS);
    const timer = setTimeout(() => {
      this.#set = undefined;
      this.#ring();
    }, waitMs);
    this.#set = { atMs, timer };
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    clearTimeout(this.#set?.timer);
  }
}
