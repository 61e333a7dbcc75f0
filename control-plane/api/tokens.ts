import { createRoute, z } from '@hono/zod-openapi';
import { createdToken, createTokenRequest, tokenList } from '#shared/api/tokens.ts';
import { BerthError } from '#shared/errors.ts';
import { randomId, randomSecret } from '#shared/id.ts';
import { objectName } from '#shared/model/names.ts';
import type { EventCause } from '../core/event.ts';
import { commit, type Db, type Decision } from '../store/commit.ts';
import { appendEvents } from '../store/events.ts';
import { deleteToken, insertToken, listTokens, tokenByName, type TokenRow } from '../store/tokens.ts';
import { requireScope } from './bearer.ts';
import { tokenCause, type Api, type ApiContext } from './context.ts';
import { answers, body, created, noContent } from './responses.ts';
import { secretHash } from './secret-hash.ts';

function view({ id, name, scope, createdAtMs, expiresAtMs }: TokenRow) {
  return { id, name, scope, createdAtMs, ...(expiresAtMs === null ? {} : { expiresAtMs }) };
}

/**
 * Makes a token.
 *
 * @throws BerthError `token.name-taken`
 */
export async function decideToken(
  db: Db,
  request: z.infer<typeof createTokenRequest>,
  cause: EventCause,
  nowMs: number,
): Promise<Decision<z.infer<typeof createdToken>>> {
  const { name, scope, expiresInMs } = request;
  if ((await tokenByName(db, name)) !== undefined) {
    throw new BerthError('conflict', 'token.name-taken', `there is a token ${name} already`, {
      remedy: 'Take another name, or revoke that token first.',
    });
  }
  const token = randomSecret('brt_');
  const expiresAtMs = expiresInMs === undefined ? null : nowMs + expiresInMs;
  const row = { id: randomId(), name, scope, hash: await secretHash(token), createdAtMs: nowMs, expiresAtMs };
  const event = { kind: 'token.created', subject: { token: name }, message: `token ${name} (${scope})`, cause };
  return {
    statements: [insertToken(db, row), ...appendEvents(db, nowMs, [event])],
    result: { ...view(row), token },
  };
}

function addCreate(app: Api, api: ApiContext): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/tokens',
    summary: 'Make a token.',
    middleware: requireScope(api, 'administer'),
    request: { body: body(createTokenRequest) },
    responses: created(createdToken, 'The token; its text is shown this once', [409]),
  });
  app.openapi(route, async (context) => {
    const request = context.req.valid('json');
    const cause = tokenCause(context.get('token'));
    const token = await commit(api.database, (db) => decideToken(db, request, cause, api.clock()));
    return context.json(token, 201);
  });
}

function addList(app: Api, api: ApiContext): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/tokens',
    summary: 'All tokens, without their texts.',
    middleware: requireScope(api, 'administer'),
    responses: answers(tokenList, 'The tokens, by name'),
  });
  app.openapi(route, async (context) => context.json({ tokens: (await listTokens(api.db)).map(view) }, 200));
}

function addDelete(app: Api, api: ApiContext): void {
  const route = createRoute({
    method: 'delete',
    path: '/v1/tokens/{name}',
    summary: 'Revoke a token.',
    middleware: requireScope(api, 'administer'),
    request: { params: z.object({ name: objectName }) },
    responses: noContent('It is revoked', [404]),
  });
  app.openapi(route, async (context) => {
    const { name } = context.req.valid('param');
    const cause = tokenCause(context.get('token'));
    await commit(api.database, async (db) => {
      const token = await tokenByName(db, name);
      if (token === undefined) throw new BerthError('not-found', 'token.not-found', `there is no token ${name}`);
      const event = { kind: 'token.revoked', subject: { token: name }, message: `token ${name} was revoked`, cause };
      return {
        statements: [deleteToken(db, token.id), ...appendEvents(db, api.clock(), [event])],
        result: undefined,
      };
    });
    return context.body(null, 204);
  });
}

export function addTokens(app: Api, api: ApiContext): void {
  addCreate(app, api);
  addList(app, api);
  addDelete(app, api);
}
