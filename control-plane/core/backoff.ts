/** Longest wait before a slot is tried again, in milliseconds. */
const MAX_BACKOFF_MS = 60_000;

/** A task that ran for this long before it ended starts its slot's backoff anew, in milliseconds. */
const STEADY_MS = 60_000;

/** How long a slot waits, in milliseconds, after its task of this attempt (from 1) ended: 1 s, doubled up to a minute. */
export function backoffMs(attempt: number): number {
  return Math.min(MAX_BACKOFF_MS, 1000 * 2 ** Math.min(attempt - 1, 16));
}

/** The attempt that follows a task that ended. */
export function nextAttempt(ended: {
  readonly attempt: number;
  readonly runningAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
}): number {
  const { runningAtMs, endedAtMs } = ended;
  const ranMs = runningAtMs === undefined || endedAtMs === undefined ? 0 : endedAtMs - runningAtMs;
  return ranMs >= STEADY_MS ? 1 : ended.attempt + 1;
}
