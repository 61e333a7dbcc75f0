import { createRoute, type z } from '@hono/zod-openapi';
import { createdJoinToken, createJoinTokenRequest, joinRequest, joinResponse } from '#shared/api/hosts.ts';
import { BerthError } from '#shared/errors.ts';
import { randomId, randomSecret } from '#shared/id.ts';
import { assignmentDigest } from '#shared/model/assignment.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/control.ts';
import { BERTH_VERSION } from '#shared/version.ts';
import { commit, type Db, type Decision } from '../store/commit.ts';
import { appendEvents } from '../store/events.ts';
import { hostByName, insertHost } from '../store/hosts.ts';
import { insertJoinToken, joinTokenByHash, useJoinToken, type JoinTokenRow } from '../store/tokens.ts';
import { bearerOf, requireScope } from './bearer.ts';
import { tokenCause, type Api, type ApiContext } from './context.ts';
import { body, created } from './responses.ts';
import { secretHash } from './secret-hash.ts';

function addJoinToken(app: Api, api: ApiContext): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/join-tokens',
    summary: 'Make a secret with which one host joins, once.',
    middleware: requireScope(api, 'administer'),
    request: { body: body(createJoinTokenRequest) },
    responses: created(createdJoinToken, 'The join token; its text is shown this once'),
  });
  app.openapi(route, async (context) => {
    const nowMs = api.clock();
    const expiresAtMs = nowMs + context.req.valid('json').expiresInMs;
    const token = randomSecret('bjt_');
    const row = { id: randomId(), hash: await secretHash(token), createdAtMs: nowMs, expiresAtMs, usedAtMs: null };
    const cause = tokenCause(context.get('token'));
    const event = { kind: 'join-token.created', subject: { 'join-token': row.id }, message: 'join token', cause };
    await commit(api.database, (db) =>
      Promise.resolve({
        statements: [...insertJoinToken(db, row), ...appendEvents(db, nowMs, [event])],
        result: undefined,
      }),
    );
    return context.json({ id: row.id, token, expiresAtMs }, 201);
  });
}

const postJoin = createRoute({
  method: 'post',
  path: '/v1/hosts/join',
  summary: 'Enrol a host; the bearer is a join token.',
  request: { body: body(joinRequest) },
  responses: created(joinResponse, 'The id under which its key is known from now on', [409]),
});

function addJoin(app: Api, api: ApiContext): void {
  app.openapi(postJoin, async (context) => {
    const hash = await secretHash(bearerOf(context));
    const request = context.req.valid('json');
    const joined = await commit(api.database, (db) => decideJoin(db, hash, request, api.clock()));
    return context.json(joined, 201);
  });
}

/** The token is used up and the host is made in one write, so that it makes one host at most and none by half. */
async function decideJoin(
  db: Db,
  hash: string,
  request: z.infer<typeof joinRequest>,
  nowMs: number,
): Promise<Decision<z.infer<typeof joinResponse>>> {
  const token = requireUsable(await joinTokenByHash(db, hash), nowMs);
  requireProtocol(request.protocol, request.facts.runnerVersion);
  const { name, publicKey, facts } = request;
  if ((await hostByName(db, name)) !== undefined) {
    throw new BerthError('conflict', 'host.name-taken', `there is a host ${name} already`, {
      remedy: 'Join with another --name, or remove that host first (berth host rm). The join token is still good.',
    });
  }
  const id = randomId();
  const row = {
    id,
    name,
    publicKey,
    facts,
    images: [],
    state: 'joined' as const,
    removedAtMs: null,
    joinedAtMs: nowMs,
    changedAtMs: nowMs,
    ackedSeq: 0,
    generation: 0,
    digest: await assignmentDigest({ tasks: [] }),
    appliedGeneration: 0,
  };
  const cause = { kind: 'host' as const, hostId: id, name };
  const event = { kind: 'host.joined', subject: { host: name }, message: `host ${name} joined`, cause };
  return {
    statements: [useJoinToken(db, token.id, nowMs), insertHost(db, row), ...appendEvents(db, nowMs, [event])],
    result: { hostId: id, name },
  };
}

function requireUsable(token: JoinTokenRow | undefined, nowMs: number): JoinTokenRow {
  const refuse = (code: string, message: string) =>
    new BerthError('unauthenticated', code, message, { remedy: 'Make a new one: berth host token.' });
  if (token === undefined) throw refuse('join-token.unknown', 'the join token is unknown here');
  if (token.usedAtMs !== null)
    throw refuse('join-token.used', 'the join token was used before; it is good for one host');
  if (token.expiresAtMs <= nowMs) {
    throw refuse('join-token.expired', `the join token expired at ${new Date(token.expiresAtMs).toISOString()}`);
  }
  return token;
}

function requireProtocol(protocol: number, runnerVersion: string): void {
  if (protocol === PROTOCOL_VERSION) return;
  throw new BerthError(
    'conflict',
    'protocol.version',
    `the runner (${runnerVersion}) speaks protocol ${protocol}, the control plane (${BERTH_VERSION}) ${PROTOCOL_VERSION}`,
    { remedy: `Upgrade the ${protocol < PROTOCOL_VERSION ? 'runner' : 'control plane'}.` },
  );
}

export function addHostJoin(app: Api, api: ApiContext): void {
  addJoinToken(app, api);
  addJoin(app, api);
}
