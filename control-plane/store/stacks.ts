import { and, asc, eq, isNull } from 'drizzle-orm';
import type { Db, Statement } from './commit.ts';
import { revisions, stacks } from './schema.ts';

export type RevisionRow = typeof revisions.$inferSelect;

/** A stack's newest revision number, also of one that was removed; undefined when the name was never used. */
export async function stackRow(db: Db, name: string): Promise<typeof stacks.$inferSelect | undefined> {
  return (await db.select().from(stacks).where(eq(stacks.name, name)))[0];
}

/** The current revisions of the stacks that exist, or of one of them, by name. */
export async function currentRevisions(db: Db, name?: string): Promise<RevisionRow[]> {
  const rows = await db
    .select({ revision: revisions })
    .from(stacks)
    .innerJoin(revisions, and(eq(revisions.stack, stacks.name), eq(revisions.number, stacks.revision)))
    .where(and(isNull(stacks.removedAtMs), name === undefined ? undefined : eq(stacks.name, name)))
    .orderBy(asc(stacks.name));
  return rows.map((row) => row.revision);
}

/** Adds a revision and makes it the current one. */
export function saveRevision(db: Db, row: RevisionRow): Statement[] {
  const current = { revision: row.number, removedAtMs: null };
  return [
    db.insert(revisions).values(row),
    db
      .insert(stacks)
      .values({ name: row.stack, ...current })
      .onConflictDoUpdate({ target: stacks.name, set: current }),
  ];
}

export function removeStack(db: Db, name: string, removedAtMs: number): Statement {
  return db.update(stacks).set({ removedAtMs }).where(eq(stacks.name, name));
}
