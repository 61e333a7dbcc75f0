import { toProblem } from '#shared/problem.ts';

/**
 * The one place where an error becomes an answer: a problem document (RFC 9457). A 401 says how to authenticate (RFC 9110
 * section 11.6.1). `answer` is for a status that no kind of error has, and for further headers.
 */
export function problemResponse(
  error: unknown,
  answer: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  const document = toProblem(error);
  const status = answer.status ?? document.status;
  return Response.json(
    { ...document, status },
    {
      status,
      headers: {
        ...answer.headers,
        'content-type': 'application/problem+json',
        ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      },
    },
  );
}
