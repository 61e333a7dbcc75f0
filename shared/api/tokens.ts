import { z } from 'zod';
import { objectId, objectName } from '../model/names.ts';

/** What a token may do: `read` sees, `deploy` also changes stacks and uses exec and load, `admin` also hosts and tokens. */
export const tokenScope = z.enum(['read', 'deploy', 'admin']);
export type TokenScope = z.infer<typeof tokenScope>;

/** POST /v1/bootstrap, with the bootstrap secret as bearer: the first admin token, once in a cluster's life. */
export const bootstrapRequest = z.object({ name: objectName.default('admin') });

/** Longest life of a token that has an end, in milliseconds (100 years): dates end, and a text of them must be possible. */
export const MAX_TOKEN_LIFE_MS = 100 * 365 * 24 * 3_600_000;

/** POST /v1/tokens */
export const createTokenRequest = z.object({
  name: objectName,
  scope: tokenScope,
  expiresInMs: z.int().min(1).max(MAX_TOKEN_LIFE_MS).optional(),
});

/** A token as listed; its text is shown once, at creation, and stored as SHA-256 only. */
export const tokenView = z.object({
  id: objectId,
  name: objectName,
  scope: tokenScope,
  createdAtMs: z.int(),
  expiresAtMs: z.int().optional(),
});
export const createdToken = tokenView.extend({ token: z.string() });
export const tokenList = z.object({ tokens: z.array(tokenView) });
