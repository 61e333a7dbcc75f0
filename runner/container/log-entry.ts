import { z } from 'zod';
import type { LogEntry } from './engine.ts';

/** A line of Docker's json-file log driver. */
const line = z.object({ log: z.string(), stream: z.enum(['stdout', 'stderr']), time: z.string() });

/** The entry of one line, or undefined for a line that a crash of the shim cut short. */
export function parseLogLine(text: string): LogEntry | undefined {
  try {
    const parsed = line.parse(JSON.parse(text));
    return { stream: parsed.stream, text: parsed.log, time: parsed.time };
  } catch {
    return undefined;
  }
}
