import { BerthError } from '#shared/errors.ts';
import { queryTimeMs } from './api-time.ts';
import type { Filters } from './filters.ts';

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** The time of an `until` filter in Unix milliseconds: a time, or a Go duration before now (`10m`, `1h30m`). */
export function untilMs(filters: Filters, now: number): number | undefined {
  const values = filters.get('until') ?? [];
  const [text] = values;
  if (text === undefined) return undefined;
  if (values.length > 1)
    throw new BerthError('invalid', 'docker.filter-invalid', 'more than one until filter specified');
  const parts = [...text.matchAll(/(\d{1,9})([hms])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return timeMs(text);
  return now - parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ''] ?? 0), 0);
}

/** With the text that dockerd has for filters. */
function timeMs(text: string): number | undefined {
  try {
    return queryTimeMs('until', text);
  } catch (cause) {
    const why = `failed to parse value as time or duration: ${JSON.stringify(text.slice(0, 40))}`;
    throw new BerthError('invalid', 'docker.filter-invalid', why, { cause });
  }
}
