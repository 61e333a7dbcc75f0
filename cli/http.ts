import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import { fromProblem, problem } from '#shared/problem.ts';
import { BERTH_VERSION } from '#shared/version.ts';
import { unreachable } from './unreachable.ts';

/** Where the control plane is and who asks. */
export interface ControlPlaneAddress {
  readonly url: string;
  /** A bearer token; empty when there is none yet. */
  readonly token: string;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** How long the control plane itself may hold the request. */
  readonly waitMs?: number;
}

/** How long the control plane may take to answer, beyond `waitMs`. */
const ANSWER_TIMEOUT_MS = 30_000;

/** A successful answer, not yet checked. */
export interface Answer {
  /** @throws BerthError `control-plane.answer` when the body is not what the schema says */
  parse<Schema extends z.ZodType>(schema: Schema): z.infer<Schema>;
}

/** The absolute URL of an API path; a control plane may live below a path of its own. */
export function apiUrl(base: string, path: string): URL {
  return new URL(`${base.replace(/\/+$/, '')}${path}`);
}

/**
 * One request to the control plane.
 *
 * @throws BerthError as the control plane answered it (`problem+json`); `control-plane.unreachable`,
 * `control-plane.tls`, `control-plane.timeout` when no answer came; `control-plane.answer` when it is not an answer of a
 * control plane
 */
export async function sendRequest(
  address: ControlPlaneAddress,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS + (request.waitMs ?? 0));
  let status: number;
  let body: string;
  try {
    const response = await fetch(apiUrl(address.url, request.path), {
      method: request.method,
      headers: {
        accept: 'application/json',
        'user-agent': `berth/${BERTH_VERSION}`,
        ...(address.token === '' ? {} : { authorization: `Bearer ${address.token}` }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      redirect: 'error', // a redirect would carry the token elsewhere
      signal: AbortSignal.any([signal, timeout]),
    });
    status = response.status;
    body = await response.text();
  } catch (error) {
    if (signal.aborted) throw error;
    throw unreachable(address.url, error);
  }
  const value = parseJson(body);
  if (status >= 400) throw refusal(address, request, status, value);
  return { parse: (schema) => checked(address.url, request, schema, value) };
}

function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text; // not JSON: the caller tells what it expected
  }
}

function checked<Schema extends z.ZodType>(
  url: string,
  request: ApiRequest,
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BerthError(
    'internal',
    'control-plane.answer',
    `${request.method} ${request.path}: ${url} did not answer as a control plane of version ${BERTH_VERSION} does: ${z.prettifyError(parsed.error)}`,
    { remedy: 'Check the URL, and that berth and the control plane are of the same release (`berth version`).' },
  );
}

function refusal(address: ControlPlaneAddress, request: ApiRequest, status: number, body: unknown): BerthError {
  const parsed = problem.safeParse(body);
  if (!parsed.success) {
    return new BerthError(
      status >= 500 ? 'unavailable' : 'internal',
      'control-plane.answer',
      `${request.method} ${request.path}: ${address.url} answered with status ${status} and no explanation`,
      { remedy: 'Check that the URL is a control plane, and what a proxy before it says.' },
    );
  }
  const error = fromProblem(parsed.data);
  if (error.remedy !== undefined || error.kind !== 'unauthenticated') return error;
  return new BerthError(error.kind, error.code, error.message, {
    cause: error,
    locations: error.locations,
    remedy:
      request.path === '/v1/bootstrap'
        ? 'The control plane keeps it in `bootstrap-secret` in its data directory.'
        : `Log in again: berth login ${address.url} --token-stdin`,
  });
}
