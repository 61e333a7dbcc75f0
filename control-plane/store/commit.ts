import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/libsql/web';
import type { Client, InStatement, InValue } from '@libsql/client/web';
import { BerthError, errorText } from '#shared/errors.ts';
import type { Database } from '../ports.ts';
import { cluster } from './schema.ts';

/** drizzle over one of the database's clients. */
export type Db = ReturnType<typeof openDb>;

/** drizzle over a client, the embedded one or the one over HTTP. */
export function openDb(client: Client) {
  return drizzle(client);
}

/** A query that drizzle built and nobody ran yet. */
export interface Statement {
  toSQL(): { sql: string; params: unknown[] };
}

/** What a write decided: the statements to run, none when nothing has to change, and what to answer. */
export interface Decision<Result> {
  readonly statements: readonly Statement[];
  readonly result: Result;
}

const MAX_ATTEMPTS = 12;

function toStatement(statement: Statement): InStatement {
  const { sql, params } = statement.toSQL();
  return { sql, args: params as InValue[] };
}

/** Fails the whole batch, by the column's NOT NULL, unless the cluster is still at the version that was read. */
function guard(db: Db, version: number): Statement {
  return db
    .update(cluster)
    .set({ version: sql`CASE WHEN ${cluster.version} = ${version} THEN ${version + 1} ELSE NULL END` });
}

function isLostRace(error: unknown): boolean {
  return errorText(error).includes('NOT NULL constraint failed: cluster.version');
}

/** A pause with jitter, so that two writers that met do not meet again. */
function pause(attempt: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * 2 ** Math.min(attempt, 6)));
}

/**
 * The one way in which anything is written. `decide` reads and says what to write; that is one batch, which is applied
 * only when nothing else was written since `decide` began to read, and otherwise `decide` runs again. What it reads is
 * therefore consistent, its effect is all or nothing, and it must have no effect of its own.
 *
 * @throws BerthError `store.contended`, and whatever `decide` throws
 */
export function commit<Result>(database: Database, decide: (db: Db) => Promise<Decision<Result>>): Promise<Result> {
  return database.write(async (client) => {
    const db = openDb(client);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const [row] = await db.select({ version: cluster.version }).from(cluster);
      if (row === undefined) throw new BerthError('internal', 'store.empty', 'the database has no cluster row');
      const { statements, result } = await decide(db);
      if (statements.length === 0) return result;
      try {
        await client.batch([guard(db, row.version), ...statements].map(toStatement), 'write');
        return result;
      } catch (error) {
        if (!isLostRace(error)) throw error;
      }
      await pause(attempt);
    }
    throw new BerthError('unavailable', 'store.contended', `the write lost ${MAX_ATTEMPTS} races against others`, {
      remedy: 'Try again.',
    });
  });
}

/** Rows in groups that fit one INSERT: SQLite allows 32,766 bound values a statement. */
export function inChunks<Row>(rows: readonly Row[], size = 50): Row[][] {
  const chunks: Row[][] = [];
  for (let at = 0; at < rows.length; at += size) chunks.push(rows.slice(at, at + size));
  return chunks;
}
