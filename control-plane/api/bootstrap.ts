import { createRoute } from '@hono/zod-openapi';
import { bootstrapRequest, createdToken } from '#shared/api/tokens.ts';
import { BerthError } from '#shared/errors.ts';
import { commit } from '../store/commit.ts';
import { bootstrappedAtMs, setBootstrapped } from '../store/tokens.ts';
import { bearerOf } from './bearer.ts';
import type { Api, ApiContext } from './context.ts';
import { body, created } from './responses.ts';
import { secretHash } from './secret-hash.ts';
import { decideToken } from './tokens.ts';

const postBootstrap = createRoute({
  method: 'post',
  path: '/v1/bootstrap',
  summary: "The first admin token, once in a cluster's life; the bearer is the bootstrap secret.",
  request: { body: body(bootstrapRequest) },
  responses: created(createdToken, 'The token; its text is shown this once', [409]),
});

export function addBootstrap(app: Api, api: ApiContext): void {
  app.openapi(postBootstrap, async (context) => {
    const given = await secretHash(bearerOf(context));
    if (api.bootstrapSecret === undefined) {
      throw new BerthError('forbidden', 'bootstrap.off', 'this control plane was started without a bootstrap secret');
    }
    if (given !== (await secretHash(api.bootstrapSecret))) {
      throw new BerthError('unauthenticated', 'token.unknown', 'this is not the bootstrap secret');
    }
    const { name } = context.req.valid('json');
    const token = await commit(api.database, async (db) => {
      if ((await bootstrappedAtMs(db)) !== null) {
        throw new BerthError('conflict', 'bootstrap.done', 'this cluster has had its first token', {
          remedy: 'Use an admin token; POST /v1/tokens makes further ones.',
        });
      }
      const cause = { kind: 'system', rule: 'bootstrap' } as const;
      const made = await decideToken(db, { name, scope: 'admin' }, cause, api.clock());
      return { ...made, statements: [setBootstrapped(db, api.clock()), ...made.statements] };
    });
    return context.json(token, 201);
  });
}
