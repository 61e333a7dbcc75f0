import type { ErrorHandler, NotFoundHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { RouterRoute } from 'hono/types';
import type { z } from '@hono/zod-openapi';
import { BerthError, isBerthError } from '#shared/errors.ts';
import { problemResponse } from '../problem-response.ts';

/** What hono itself throws is about the request's form: a body that is no JSON. */
function known(error: unknown): unknown {
  if (!(error instanceof HTTPException) || error.status >= 500) return error;
  return new BerthError('invalid', 'request.malformed', `the request cannot be read: ${error.message}`, {
    cause: error,
  });
}

/** `log` is told of errors that nobody raised on purpose, whose answer tells nothing. */
export function errorHandler(log: (error: unknown) => void): ErrorHandler {
  return (thrown) => {
    const error = known(thrown);
    if (!isBerthError(error)) log(error);
    return problemResponse(error);
  };
}

/** Answers what no route takes: OPTIONS tells the methods of a path, another method than these is refused as such. */
export function unknownRoute(routes: () => readonly RouterRoute[]): NotFoundHandler {
  return (context) => {
    const { method, path } = context.req;
    const allow = methodsOf(routes(), path).join(', ');
    if (allow === '') {
      return problemResponse(
        new BerthError('not-found', 'route.unknown', `there is no ${method} ${path}`, {
          remedy: 'GET /openapi.json lists what there is.',
        }),
      );
    }
    if (method === 'OPTIONS') return context.body(null, 204, { allow });
    const error = new BerthError('invalid', 'method.not-allowed', `there is no ${method} ${path}`, {
      remedy: `It takes ${allow}.`,
    });
    return problemResponse(error, { status: 405, headers: { allow } });
  };
}

/** The methods of the routes that a path matches. */
function methodsOf(routes: readonly RouterRoute[], path: string): string[] {
  const isThere = (route: RouterRoute): boolean =>
    route.method !== 'ALL' && new RegExp(`^${route.path.replaceAll(/:[^/]+/g, '[^/]+')}$`).test(path);
  const methods = new Set(routes.filter(isThere).map((route) => route.method));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods];
}

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
