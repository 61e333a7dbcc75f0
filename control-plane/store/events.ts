import { and, desc, eq, gt, max } from 'drizzle-orm';
import type { NewEvent } from '../core/event.ts';
import { inChunks, type Db, type Statement } from './commit.ts';
import { events } from './schema.ts';

/** Appends events in the order given, at this time. */
export function appendEvents(db: Db, atMs: number, added: readonly NewEvent[]): Statement[] {
  const rows = added.map((event) => ({ ...event, atMs, stack: event.subject['stack'] ?? null }));
  return inChunks(rows).map((chunk) => db.insert(events).values(chunk));
}

/** The newest event's id, 0 when there is none. */
export async function newestEventId(db: Db): Promise<number> {
  const [row] = await db.select({ id: max(events.id) }).from(events);
  return row?.id ?? 0;
}

export type EventRow = typeof events.$inferSelect;

/** Events over a cursor, oldest first; without a cursor the newest ones, oldest of them first. */
export async function listEvents(
  db: Db,
  query: { readonly after?: number | undefined; readonly stack?: string | undefined; readonly limit: number },
): Promise<EventRow[]> {
  const { after, stack, limit } = query;
  const where = and(
    after === undefined ? undefined : gt(events.id, after),
    stack === undefined ? undefined : eq(events.stack, stack),
  );
  const rows = db.select().from(events).where(where).limit(limit);
  if (after !== undefined) return rows.orderBy(events.id);
  return (await rows.orderBy(desc(events.id))).toReversed();
}
