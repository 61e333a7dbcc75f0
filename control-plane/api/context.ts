import type { OpenAPIHono } from '@hono/zod-openapi';
import type { EventCause } from '../core/event.ts';
import type { Ports } from '../ports.ts';
import type { Db } from '../store/commit.ts';
import type { TokenRow } from '../store/tokens.ts';

/** What the middleware hands to the routes: the token of the request, on routes that ask for one. */
export interface Environment {
  Variables: { token: TokenRow };
}

export type Api = OpenAPIHono<Environment>;

/** What routes are made of. */
export interface ApiContext extends Ports {
  /** For reads that are no part of a write. */
  readonly db: Db;
}

/** The cause of what a token's request changes. */
export function tokenCause(token: TokenRow): Extract<EventCause, { kind: 'token' }> {
  return { kind: 'token', tokenId: token.id, name: token.name };
}
