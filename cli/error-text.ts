import { errorText, isBerthError, type ErrorLocation } from '#shared/errors.ts';

/**
 * An error as the CLI prints it: `berth: MESSAGE`, one line `FILE:LINE:COLUMN: MESSAGE` for each place of the input
 * that is wrong, and `hint: REMEDY`.
 */
export function formatError(error: unknown): string {
  if (!isBerthError(error)) return `berth: ${errorText(error)}\n`;
  // A single mistake may be all of the message.
  const locations = error.locations.map(formatLocation).filter((line) => line !== error.message);
  const lines = [`berth: ${error.message}`, ...locations];
  if (error.remedy !== undefined) lines.push(`hint: ${error.remedy}`);
  return `${lines.join('\n')}\n`;
}

function formatLocation({ path, line, column, message }: ErrorLocation): string {
  const place = [path, line, line === undefined ? undefined : column].filter((part) => part !== undefined);
  return `${place.join(':')}: ${message}`;
}

/** The same for programs: one line of JSON. */
export function errorJson(error: unknown): string {
  const body = isBerthError(error)
    ? {
        kind: error.kind,
        code: error.code,
        message: error.message,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
        ...(error.locations.length === 0 ? {} : { locations: error.locations }),
      }
    : { kind: 'internal', code: 'internal', message: errorText(error) };
  return `${JSON.stringify({ error: body })}\n`;
}
