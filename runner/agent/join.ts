import { joinResponse } from '#shared/api/hosts.ts';
import { BerthError, errorText } from '#shared/errors.ts';
import type { HostFacts } from '#shared/model/host.ts';
import { objectName } from '#shared/model/names.ts';
import { fromProblem, problem } from '#shared/problem.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/control.ts';
import { generateKey, readIdentity, writeIdentity, type Identity } from './identity.ts';

export interface JoinRequest {
  readonly dataRoot: string;
  /** Of the control plane, as a person typed it. */
  readonly url: string;
  /** A join token; one use. */
  readonly token: string;
  readonly name: string;
  readonly facts: HostFacts;
  readonly signal: AbortSignal;
}

/**
 * Enrols this data root as a host. The key is on disk before the token is spent, and a repeated call after a crash asks
 * with the same key.
 *
 * @throws BerthError `identity.joined` when it is a host already; `join.url-invalid`, `join.unreachable`,
 * `join.answer-malformed`; what the control plane answers (`join-token.*`, `host.name-taken` …)
 */
export async function joinCluster(request: JoinRequest): Promise<Identity> {
  const url = controlPlaneUrl(request.url);
  const found = await readIdentity(request.dataRoot);
  if (found?.state === 'joined') {
    throw new BerthError(
      'conflict',
      'identity.joined',
      `Joining ${url}: the data root ${request.dataRoot} is already the host ${found.name} (${found.hostId}) of ${found.url}`,
      { remedy: 'Start it with `berth runner`, or give another --data-root.' },
    );
  }
  checkName(request.name);
  const key = found?.key ?? generateKey();
  if (found === undefined) await writeIdentity(request.dataRoot, { state: 'pending', key });
  const body = { protocol: PROTOCOL_VERSION, name: request.name, publicKey: key.x, facts: request.facts };
  const { hostId, name } = await post(url, request, body);
  const identity: Identity = { state: 'joined', key, hostId, name, url };
  await writeIdentity(request.dataRoot, identity);
  return identity;
}

/**
 * The URL of a control plane: http or https, without a trailing slash.
 *
 * @throws BerthError `join.url-invalid`
 */
export function controlPlaneUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (url === undefined || !isPlain || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new BerthError('invalid', 'join.url-invalid', `"${text}" is not the URL of a control plane`, {
      remedy: 'Give it as https://HOST or http://HOST:PORT.',
    });
  }
  return url.href.replace(/\/+$/, '');
}

function checkName(name: string): void {
  const parsed = objectName.safeParse(name);
  if (parsed.success) return;
  const why = parsed.error.issues[0]?.message ?? 'not a name';
  throw new BerthError('invalid', 'join.name-invalid', `The host name "${name}" cannot be used: it ${why}`, {
    remedy: 'Choose one with --name NAME.',
  });
}

async function post(url: string, { token, signal }: JoinRequest, body: object) {
  const where = `${url}/v1/hosts/join`;
  const unreachable = (cause: unknown) =>
    new BerthError('unavailable', 'join.unreachable', `Joining ${url}: ${reasonOf(cause)}`, {
      cause,
      remedy: 'Check the URL, and that the control plane runs and can be reached from this machine.',
    });
  let status: number;
  let text: string;
  try {
    const response = await fetch(where, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error', // the token is for this URL alone
      signal,
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw unreachable(cause);
  }
  const answer = parseJson(text);
  if (status >= 200 && status < 300) {
    const parsed = joinResponse.safeParse(answer);
    if (parsed.success) return parsed.data;
  } else {
    const told = problem.safeParse(answer);
    if (told.success) throw fromProblem(told.data);
  }
  throw new BerthError(
    'unavailable',
    'join.answer-malformed',
    `Joining ${url}: ${where} answered ${status}, not as a control plane does`,
    {
      remedy: 'Check the URL: is it the control plane, and not something in front of it?',
    },
  );
}

/** fetch says only "fetch failed"; the reason is in its cause. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? errorText(error.cause) : errorText(error);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
