import { asc, eq, lt } from 'drizzle-orm';
import type { Db, Statement } from './commit.ts';
import { cluster, joinTokens, tokens } from './schema.ts';

export type TokenRow = typeof tokens.$inferSelect;
export type JoinTokenRow = typeof joinTokens.$inferSelect;

export async function tokenByHash(db: Db, hash: string): Promise<TokenRow | undefined> {
  return (await db.select().from(tokens).where(eq(tokens.hash, hash)))[0];
}

export async function tokenByName(db: Db, name: string): Promise<TokenRow | undefined> {
  return (await db.select().from(tokens).where(eq(tokens.name, name)))[0];
}

export async function listTokens(db: Db): Promise<TokenRow[]> {
  return db.select().from(tokens).orderBy(asc(tokens.name));
}

export function insertToken(db: Db, row: TokenRow): Statement {
  return db.insert(tokens).values(row);
}

export function deleteToken(db: Db, id: string): Statement {
  return db.delete(tokens).where(eq(tokens.id, id));
}

export async function joinTokenByHash(db: Db, hash: string): Promise<JoinTokenRow | undefined> {
  return (await db.select().from(joinTokens).where(eq(joinTokens.hash, hash)))[0];
}

/** How long a join token is known after it has expired, in milliseconds (30 days), so that its refusal can say why. */
export const JOIN_TOKEN_RECORD_MS = 30 * 24 * 3_600_000;

/** Adds a join token; those that expired long ago are forgotten. */
export function insertJoinToken(db: Db, row: JoinTokenRow): Statement[] {
  return [
    db.insert(joinTokens).values(row),
    db.delete(joinTokens).where(lt(joinTokens.expiresAtMs, row.createdAtMs - JOIN_TOKEN_RECORD_MS)),
  ];
}

export function useJoinToken(db: Db, id: string, usedAtMs: number): Statement {
  return db.update(joinTokens).set({ usedAtMs }).where(eq(joinTokens.id, id));
}

/** When the first token was made; null when none has been. */
export async function bootstrappedAtMs(db: Db): Promise<number | null> {
  const [row] = await db.select({ atMs: cluster.bootstrappedAtMs }).from(cluster);
  return row?.atMs ?? null;
}

export function setBootstrapped(db: Db, atMs: number): Statement {
  return db.update(cluster).set({ bootstrappedAtMs: atMs });
}
