import type { Context, MiddlewareHandler } from 'hono';
import { BerthError } from '#shared/errors.ts';
import { mayDo, scopeFor, type Action } from '../core/authorize.ts';
import { tokenByHash, type TokenRow } from '../store/tokens.ts';
import type { ApiContext, Environment } from './context.ts';
import { secretHash } from './secret-hash.ts';

/**
 * The bearer secret of a request (RFC 6750 section 2.1).
 *
 * @throws BerthError `token.missing`
 */
export function bearerOf(context: Context): string {
  const match = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(context.req.header('authorization') ?? '');
  if (match?.[1] !== undefined) return match[1];
  throw new BerthError('unauthenticated', 'token.missing', 'the request has no bearer token', {
    remedy: 'Send "Authorization: Bearer TOKEN"; with the client, berth login.',
  });
}

/**
 * The token of a request, when it is known and has not expired.
 *
 * @throws BerthError `token.missing`, `token.unknown`, `token.expired`
 */
async function authenticate(api: ApiContext, context: Context): Promise<TokenRow> {
  const token = await tokenByHash(api.db, await secretHash(bearerOf(context)));
  if (token === undefined) {
    throw new BerthError('unauthenticated', 'token.unknown', 'the token is unknown here, or was revoked', {
      remedy: 'Log in to this cluster with a token of its own.',
    });
  }
  if (token.expiresAtMs !== null && token.expiresAtMs <= api.clock()) {
    const since = new Date(token.expiresAtMs).toISOString();
    throw new BerthError('unauthenticated', 'token.expired', `token ${token.name} expired at ${since}`, {
      remedy: 'Have an administrator make a new one.',
    });
  }
  return token;
}

/** Lets a request through when its token may do this; the route finds the token in its context. */
export function requireScope(api: ApiContext, action: Action): MiddlewareHandler<Environment> {
  return async (context, next) => {
    const token = await authenticate(api, context);
    if (!mayDo(token.scope, action)) {
      throw new BerthError(
        'forbidden',
        'token.scope',
        `token ${token.name} has scope ${token.scope}; this needs ${scopeFor(action)}`,
        { remedy: `Use a token of scope ${scopeFor(action)}.` },
      );
    }
    context.set('token', token);
    await next();
  };
}
