import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * Resolves with the first value that is not undefined. Asks again a little after each answer, until the deadline.
 *
 * @throws Error that says what did not come, with the last reason
 */
export async function waitUntil<Value>(
  what: string,
  ask: () => Promise<Value | undefined>,
  options: { readonly deadlineMs?: number; readonly signal: AbortSignal },
): Promise<Value> {
  const deadlineMs = options.deadlineMs ?? 60_000;
  const deadline = performance.now() + deadlineMs;
  let reason = '';
  for (;;) {
    options.signal.throwIfAborted();
    try {
      const value = await ask();
      if (value !== undefined) return value;
    } catch (error) {
      reason = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s for ${what}${reason}`);
    await delay(POLL_MS, undefined, { signal: options.signal });
  }
}
