/**
 * What kind of failure an error can be. It decides the HTTP status and the exit code; the `code` beside it is what
 * programs match on, and the message is what people read.
 */
export const errorKinds = [
  'invalid', // the input is wrong: 400 / 422, exit 2
  'unauthenticated', // no valid token or key: 401
  'forbidden', // a valid identity without the right: 403
  'not-found', // the named object does not exist: 404
  'conflict', // the object's state or name is in the way: 409
  'too-large', // over a stated limit: 413
  'unavailable', // a needed peer is not there now; a retry may succeed: 503
  'unsupported', // valid, but not implemented by this version: 501
  'internal', // our fault: 500
] as const;
export type ErrorKind = (typeof errorKinds)[number];

/** One finding about a place in the input, as compilers print it. Lines and columns count from 1. */
export interface ErrorLocation {
  readonly path: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

export interface BerthErrorOptions {
  readonly cause?: unknown;
  /** What the reader can do next; printed after the message. */
  readonly remedy?: string;
  /** Each place of the input that is wrong. */
  readonly locations?: readonly ErrorLocation[];
}

/**
 * The one error class that crosses rooms. `message` names the operation, the object and the value; `code` is stable
 * (`stack.unknown`, `join-token.used`); `remedy` says what to do next.
 */
export class BerthError extends Error {
  override readonly name = 'BerthError';
  readonly kind: ErrorKind;
  readonly code: string;
  readonly remedy: string | undefined;
  readonly locations: readonly ErrorLocation[];

  constructor(kind: ErrorKind, code: string, message: string, options: BerthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.remedy = options.remedy;
    this.locations = options.locations ?? [];
  }
}

/** True for an error that this project raised on purpose, whose text is meant for its reader. */
export function isBerthError(error: unknown): error is BerthError {
  return error instanceof BerthError;
}

/** The text of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
