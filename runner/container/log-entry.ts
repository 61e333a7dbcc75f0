import { z } from 'zod';
import type { LogEntry } from './engine.ts';

/** A line of Docker's json-file log driver. */
const line = z.object({
  log: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  attrs: z.record(z.string(), z.string()).optional(),
  time: z.string(),
});

/** A line of the local driver's files; `runner/launcher/c/log.h` says what it is made of. */
const localLine = /^([oeOE])(\d{1,12})(\d{9}) (.*)$/s;

/** The entry of one line, or undefined for a line that a crash of the shim cut short. */
export function parseLogLine(text: string): LogEntry | undefined {
  if (!text.startsWith('{')) return localEntry(text);
  try {
    const { log, stream, attrs, time } = line.parse(JSON.parse(text));
    return { stream, text: log, time, ...(attrs === undefined ? {} : { attributes: attrs }) };
  } catch {
    return undefined;
  }
}

function localEntry(text: string): LogEntry | undefined {
  const [, kind = '', seconds, nanoseconds = '', content = ''] = localLine.exec(text) ?? [];
  if (seconds === undefined) return undefined;
  const whole = kind === kind.toLowerCase();
  return {
    stream: kind.toLowerCase() === 'o' ? 'stdout' : 'stderr',
    text: whole ? `${content}\n` : content,
    time: `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${nanoseconds}Z`,
  };
}
