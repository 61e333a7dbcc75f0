import { errorText, isBerthError, type ErrorKind } from '#shared/errors.ts';

const statusOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
  unsupported: 501,
  internal: 500,
};

/** An error as the Docker API tells it (ErrorResponse): the one place where that is decided. */
export function errorAnswer(error: unknown): { readonly status: number; readonly body: { readonly message: string } } {
  if (!isBerthError(error)) return { status: 500, body: { message: errorText(error) } };
  const message = error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`;
  return { status: statusOfKind[error.kind], body: { message } };
}
