/**
 * One wake-up call, which survives what the platform's hub survives: a timer in Node, the storage alarm of a Durable
 * Object. The hub's `alarm()` is called at the time; a call that comes early or twice is harmless.
 */
export interface Alarm {
  /** Wakes no later than `atMs` (Unix milliseconds): an earlier call that is already set stays. */
  ensure(atMs: number): void;
}
