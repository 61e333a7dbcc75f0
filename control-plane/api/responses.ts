import type { z } from '@hono/zod-openapi';
import { problem } from '#shared/problem.ts';

const failures = {
  401: 'The bearer is missing, unknown or expired',
  403: 'The scope of the token does not allow this',
  404: 'Something that the request names does not exist',
  409: 'The state of an object, or its name, is in the way',
  413: 'The body is over its limit',
  422: 'Something in the request is wrong; `locations` says where',
  500: 'The control plane failed; its log says why',
  503: 'The hub, a host or the database is away or busy: a later try may succeed',
} as const;

/** The statuses with which requests fail. */
type FailureStatus = keyof typeof failures;

/** What every request with a token may meet. */
const ALWAYS: readonly FailureStatus[] = [401, 403, 413, 422, 500, 503];

/** The answers of an OpenAPI operation: the one that it makes, and how it may fail beside what every request may meet. */
export function answers<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  more: readonly FailureStatus[] = [],
  always: readonly FailureStatus[] = ALWAYS,
) {
  return { 200: json(schema, description), ...problems([...always, ...more]) };
}

export function created<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  more: readonly FailureStatus[] = [],
) {
  return { 201: json(schema, description), ...problems([...ALWAYS, ...more]) };
}

export function noContent(description: string, more: readonly FailureStatus[] = []) {
  return { 204: { description }, ...problems([...ALWAYS, ...more]) };
}

function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** One problem document for each status; the type names none of them, because handlers throw and do not return them. */
function problems(statuses: readonly FailureStatus[]): object {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: failures[status], content: { 'application/problem+json': { schema: problem } } },
    ]),
  );
}

/** The body of an OpenAPI operation. */
export function body<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}
