import { z } from 'zod';
import { BerthError } from '../errors.ts';

/** One value as a newline-ended line of JSON, in UTF-8. */
export function encodeLine(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

/**
 * The newline-ended JSON lines of a byte stream, checked. A last line without its newline counts as a line. Giving up
 * early does not cancel the stream, so that its owner can say why.
 *
 * @throws BerthError `relay.malformed` for a line that is over `maxLineBytes`, no JSON, or not of the schema
 */
export async function* readLines<Schema extends z.ZodType>(
  readable: ReadableStream<Uint8Array>,
  schema: Schema,
  maxLineBytes = 64 * 1024,
): AsyncGenerator<z.infer<Schema>, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of readable.values({ preventCancel: true })) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield parseLine(line, schema);
    if (rest.length > maxLineBytes) {
      throw new BerthError('too-large', 'relay.malformed', `relay: a line is over the limit of ${maxLineBytes} bytes`);
    }
  }
  if (rest !== '') yield parseLine(rest, schema);
}

function parseLine<Schema extends z.ZodType>(line: string, schema: Schema): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new BerthError('invalid', 'relay.malformed', 'relay: a line is not JSON', { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BerthError(
    'invalid',
    'relay.malformed',
    `relay: a line is not as expected: ${z.prettifyError(parsed.error)}`,
  );
}
