import { z } from 'zod';
import { BerthError, errorKinds, type ErrorKind } from './errors.ts';

/** The HTTP status that carries an error of this kind. */
const statusOfKind = {
  invalid: 422,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
  unsupported: 501,
  internal: 500,
} as const satisfies Record<ErrorKind, number>;

/** An error's kind, as answers and relays carry it. */
export const errorKind = z.enum(errorKinds);

/** The body of every error answer: RFC 9457 problem details, with our `code`, `kind`, `remedy` and `locations`. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  kind: errorKind,
  code: z.string(),
  remedy: z.string().optional(),
  locations: z
    .array(
      z.object({
        path: z.string(),
        line: z.int().optional(),
        column: z.int().optional(),
        message: z.string(),
      }),
    )
    .optional(),
});
export type Problem = z.infer<typeof problem>;

/** The problem document for an error; anything that is not a BerthError becomes a bare 500 that tells no internals. */
export function toProblem(error: unknown): Problem {
  const known =
    error instanceof BerthError
      ? error
      : new BerthError('internal', 'internal', 'The server failed to answer this request.', {
          remedy: 'Try again; if it persists, read the log of the control plane.',
        });
  return {
    type: `urn:berth:problem:${known.code}`,
    title: known.code,
    status: statusOfKind[known.kind],
    detail: known.message,
    kind: known.kind,
    code: known.code,
    ...(known.remedy === undefined ? {} : { remedy: known.remedy }),
    ...(known.locations.length === 0 ? {} : { locations: known.locations.map((place) => ({ ...place })) }),
  };
}

/** The error that a problem document told about. */
export function fromProblem(body: Problem): BerthError {
  return new BerthError(body.kind, body.code, body.detail, {
    ...(body.remedy === undefined ? {} : { remedy: body.remedy }),
    ...(body.locations === undefined
      ? {}
      : {
          locations: body.locations.map(({ path, message, line, column }) => ({
            path,
            message,
            ...(line === undefined ? {} : { line }),
            ...(column === undefined ? {} : { column }),
          })),
        }),
  });
}
