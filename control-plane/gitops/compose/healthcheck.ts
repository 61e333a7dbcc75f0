import { errorText } from '#shared/errors.ts';
import { parseDurationMs } from '#shared/duration.ts';
import type { Healthcheck } from '#shared/model/service.ts';
import type { ComposeSource, Place } from './source.ts';

const KEYS = ['test', 'interval', 'timeout', 'retries', 'start_period', 'disable'] as const;

/** Longest duration, in milliseconds (24 days): a host's timer cannot wait for longer. */
const MAX_DURATION_MS = 24 * 24 * 3_600_000;

/** Milliseconds of a duration, or the fallback when there is none. */
function readDuration(
  source: ComposeSource,
  place: Place | undefined,
  fallback: number,
  minMs: number,
): number | undefined {
  if (place === undefined) return fallback;
  const text = source.text(place, 'a duration such as 30s');
  return text === undefined ? undefined : durationOf(source, place, text, minMs);
}

/** Milliseconds of a duration that is written at a place. */
export function durationOf(source: ComposeSource, place: Place, text: string, minMs: number): number | undefined {
  try {
    const durationMs = parseDurationMs(text);
    if (durationMs > MAX_DURATION_MS) return source.fail(place, `${text.slice(0, 80)} is longer than 24 days`);
    return durationMs >= minMs ? durationMs : source.fail(place, `${text} is too short`);
  } catch (error) {
    return source.fail(place, `${errorText(error)}; write one such as 30s or 1m30s`);
  }
}

/** `healthcheck`; undefined when something is wrong with it. */
export function readHealthcheck(source: ComposeSource, place: Place): Healthcheck | 'disabled' | undefined {
  const members = source.members(place, KEYS);
  if (members === undefined) return undefined;
  const disable = members.get('disable');
  const disabled = disable !== undefined && source.boolean(disable);
  const intervalMs = readDuration(source, members.get('interval'), 30_000, 1);
  const timeoutMs = readDuration(source, members.get('timeout'), 30_000, 1);
  const startPeriodMs = readDuration(source, members.get('start_period'), 0, 0);
  const count = members.get('retries');
  const retries = count === undefined ? 3 : source.integer(count, 1, 1000);
  const test = members.get('test');
  if (disabled === true) return 'disabled';
  if (test === undefined) return source.fail(place, 'test is needed: the command that tells whether it is healthy');
  const command = readTest(source, test);
  if (command === 'disabled') return 'disabled';
  if (command === undefined || intervalMs === undefined || timeoutMs === undefined) return undefined;
  if (startPeriodMs === undefined || retries === undefined) return undefined;
  return { command, intervalMs, timeoutMs, retries, startPeriodMs };
}

function readTest(source: ComposeSource, place: Place): string[] | 'disabled' | undefined {
  if (!source.isList(place)) {
    const text = source.text(place, 'a command, as a text or as a list that begins with CMD, CMD-SHELL or NONE');
    if (text === '') return source.fail(place, 'the command is empty');
    return text === undefined ? undefined : ['/bin/sh', '-c', text];
  }
  const items = source.list(place, 'a list') ?? [];
  const words = items.map((item) => source.scalar(item));
  if (words.includes(undefined)) return undefined;
  const [kind, ...command] = words as string[];
  if (kind === 'NONE' && command.length === 0) return 'disabled';
  if (kind === 'CMD' && command.length > 0) return command;
  const [text] = command;
  if (kind === 'CMD-SHELL' && command.length === 1 && text !== undefined) return ['/bin/sh', '-c', text];
  return source.fail(place, 'the list must be [CMD, program, arguments…], [CMD-SHELL, text] or [NONE]');
}
