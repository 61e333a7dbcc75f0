export type LogLevel = 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a daemon says what it does: one line an event, `fields` name the objects. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFormat = 'text' | 'json';

/** One event as a line without its line end: `TIME LEVEL MESSAGE key=value …`, or the same as one JSON object. */
export function logLine(format: LogFormat, time: Date, level: LogLevel, message: string, fields: LogFields): string {
  if (format === 'json') return JSON.stringify({ time: time.toISOString(), level, message, ...fields });
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${quoteIfNeeded(String(value))}`],
  );
  return [time.toISOString(), level.padEnd(5), oneLine(message), ...pairs].join(' ');
}

/** A log that writes its lines with `write`. */
export function createLog(format: LogFormat, write: (line: string) => void): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) =>
      write(`${logLine(format, new Date(), level, message, fields)}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** A line break or control character in a message that came from elsewhere must not forge another line. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => (character === '\n' ? '\\n' : `\\x${hex(character)}`));
}

function quoteIfNeeded(text: string): string {
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, '0');
}
