import type { Context, ErrorHandler, NotFoundHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { z } from '@hono/zod-openapi';
import { BerthError, isBerthError } from '#shared/errors.ts';
import { problem, toProblem } from '#shared/problem.ts';

/** The one place where errors become answers: RFC 9457 problem documents. */
function answer(context: Context, error: unknown): Response {
  const document = toProblem(error);
  return context.body(JSON.stringify(document), document.status as 500, {
    'content-type': 'application/problem+json',
    ...(document.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  });
}

/** What hono itself throws is about the request's form: a body that is no JSON. */
function known(error: unknown): unknown {
  if (!(error instanceof HTTPException) || error.status >= 500) return error;
  return new BerthError('invalid', 'request.malformed', `the request cannot be read: ${error.message}`, {
    cause: error,
  });
}

/** `log` is told of errors that nobody raised on purpose, whose answer tells nothing. */
export function errorHandler(log: (error: unknown) => void): ErrorHandler {
  return (thrown, context) => {
    const error = known(thrown);
    if (!isBerthError(error)) log(error);
    return answer(context, error);
  };
}

export const unknownRoute: NotFoundHandler = (context) =>
  answer(
    context,
    new BerthError('not-found', 'route.unknown', `there is no ${context.req.method} ${context.req.path}`, {
      remedy: 'GET /openapi.json lists what there is.',
    }),
  );

type Validation = { readonly success: true } | { readonly success: false; readonly error: z.ZodError };

/** Makes a request that does not fit its schema an error with every place that is wrong. */
export function rejectInvalid(result: Validation & { readonly target: string }): undefined {
  if (result.success) return undefined;
  const locations = result.error.issues.slice(0, 20).map((issue) => ({
    path: [result.target, ...issue.path.map(String)].join('.'),
    message: issue.message,
  }));
  const [first] = locations;
  throw new BerthError('invalid', 'request.invalid', `${first?.path ?? result.target}: ${first?.message ?? ''}`, {
    locations,
    remedy: 'Correct what is named; GET /openapi.json has the schema.',
  });
}

/** The answers of an OpenAPI operation: the one that it makes, and problems. */
export function answers<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { 200: json(schema, description), default: problems };
}

export function created<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { 201: json(schema, description), default: problems };
}

export function noContent(description: string) {
  return { 204: { description }, default: problems };
}

function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

const problems = {
  description: 'What was wrong, as problem details (RFC 9457)',
  content: { 'application/problem+json': { schema: problem } },
};

/** The body of an OpenAPI operation. */
export function body<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}
