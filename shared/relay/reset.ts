import { z } from 'zod';
import { BerthError } from '../errors.ts';
import { errorKind } from '../problem.ts';
import { MAX_RESET_BYTES } from './frame.ts';

const resetPayload = z.object({
  kind: errorKind.catch('internal'),
  code: z.string(),
  message: z.string(),
  remedy: z.string().optional(),
});

/** The payload of RESET for an error; an overlong message is cut. */
export function encodeReset({ kind, code, message, remedy }: BerthError): Uint8Array<ArrayBuffer> {
  const encode = (body: object) => new TextEncoder().encode(JSON.stringify(body));
  const whole = encode({ kind, code, message, remedy });
  // A character is at most six bytes of JSON text, and the code is ours and short.
  return whole.byteLength <= MAX_RESET_BYTES ? whole : encode({ kind, code, message: `${message.slice(0, 1000)} …` });
}

/** The error that a RESET's decoded JSON tells of; undefined when it is none. A kind that we do not know is `internal`. */
export function decodeReset(value: unknown): BerthError | undefined {
  const parsed = resetPayload.safeParse(value);
  if (!parsed.success) return undefined;
  const { kind, code, message, remedy } = parsed.data;
  return new BerthError(kind, code, message, remedy === undefined ? {} : { remedy });
}
