import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { BerthError } from '#shared/errors.ts';

/** A request after routing. */
export interface ApiRequest {
  /** What stands for `{name}` in the route's path, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** `1.51`: what the client speaks. */
  readonly version: string;
  /** The body's bytes, not yet read. */
  readonly body: Readable;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

/** Longest JSON body that is read (dockerd: 8 MB for a creation). */
const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** Deepest nesting of a JSON body, as dockerd (its parser's limit). */
const MAX_JSON_DEPTH = 10_000;

/** A path parameter that the route has. */
export function parameter(request: ApiRequest, name: string): string {
  return request.parameters[name] ?? '';
}

/** An option of the query: empty, `0`, `no`, `false` and `none` are false (moby httputils, `BoolValue`). */
export function flag(request: ApiRequest, name: string, otherwise = false): boolean {
  const value = request.query.get(name);
  if (value === null) return otherwise;
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

/** Undefined when it is absent or empty. */
export function option(request: ApiRequest, name: string): string | undefined {
  return request.query.get(name) || undefined;
}

/** @throws BerthError `docker.number-invalid` */
export function integer(request: ApiRequest, name: string): number | undefined {
  const text = option(request, name);
  if (text === undefined) return undefined;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw new BerthError('invalid', 'docker.number-invalid', `invalid value for "${name}": "${text.slice(0, 40)}"`);
}

/** @throws BerthError `docker.version-…`: see `versionOf`; true when the client speaks at least this version */
export function atLeast(request: ApiRequest, version: string): boolean {
  const [major = 0, minor = 0] = request.version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = version.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/**
 * The body as JSON of this shape; an empty one is `{}`.
 *
 * @throws BerthError `docker.body-too-large`, `docker.json-invalid`
 */
export async function jsonBody<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(request.body);
  if (isDeeperThan(text, MAX_JSON_DEPTH)) {
    const why = `invalid JSON: the body is nested deeper than ${MAX_JSON_DEPTH} levels`;
    throw new BerthError('invalid', 'docker.json-invalid', why);
  }
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch (cause) {
    throw new BerthError('invalid', 'docker.json-invalid', 'invalid JSON: the body cannot be parsed', { cause });
  }
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new BerthError('invalid', 'docker.json-invalid', `invalid JSON: ${where}: ${issue?.message ?? 'wrong'}`);
}

/** Counts brackets outside of texts; what is no JSON at all is the parser's to find. */
function isDeeperThan(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') inText = !inText;
    else if (inText && character === '\\') at += 1;
    else if (inText) continue;
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}

async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += (chunk as Buffer).byteLength;
    if (size > MAX_JSON_BYTES) throw bodyTooLarge(MAX_JSON_BYTES);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

export function bodyTooLarge(maxBytes: number): BerthError {
  const text = `the request's body is over the limit of ${maxBytes} bytes`;
  return new BerthError('too-large', 'docker.body-too-large', text);
}
