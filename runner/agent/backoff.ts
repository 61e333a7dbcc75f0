/** First and longest upper bounds of the wait between two attempts to connect. */
export const BACKOFF_FIRST_MS = 500;
export const BACKOFF_MOST_MS = 30_000;

/**
 * How long to wait before attempt `attempt` (0: the first after a failure): full jitter, that is any moment up to a bound
 * that doubles from 0.5 s to 30 s, so that hosts that lost their control plane together do not return together.
 *
 * @param random a number from 0 up to and without 1
 */
export function backoffMs(attempt: number, random: number): number {
  const bound = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.floor(bound * random);
}
