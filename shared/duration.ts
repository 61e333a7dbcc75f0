import { BerthError } from './errors.ts';

/** Longest time that a timer of Node waits for, in milliseconds (24 days and 20 hours): a longer one would be over at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

const unitMs = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/**
 * Milliseconds of a Compose duration (`1h5m30s20ms`; compose-spec, "Specifying durations"). Fractions of a
 * millisecond are rounded.
 *
 * @throws BerthError `duration.invalid`
 */
export function parseDurationMs(text: string): number {
  const part = /(\d+(?:\.\d+)?)(us|ms|s|m|h)/gy;
  let total = 0;
  let at = 0;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    total += Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
    at = part.lastIndex;
  }
  if (at === 0 || at !== text.length) {
    throw new BerthError('invalid', 'duration.invalid', `"${text}" is not a duration`, {
      remedy: 'Write a number with a unit us, ms, s, m or h, such as 30s or 1m30s.',
    });
  }
  return Math.round(total);
}
