import { and, desc, eq, gt, gte, lt, lte, max, sql } from 'drizzle-orm';
import type { NewEvent } from '../core/event.ts';
import { inChunks, type Db, type Statement } from './commit.ts';
import { events } from './schema.ts';

/** How long an event is kept, in milliseconds: 90 days. */
export const EVENT_LIFE_MS = 90 * 24 * 3_600_000;

/** How many of the newest events are kept at most. */
export const MAX_EVENTS = 200_000;

/** Appends events in the order given, at this time; what is too old or too many by then is forgotten. */
export function appendEvents(db: Db, atMs: number, added: readonly NewEvent[]): Statement[] {
  if (added.length === 0) return [];
  const rows = added.map((event) => ({ ...event, atMs, stack: event.subject['stack'] ?? null }));
  return [...inChunks(rows).map((chunk) => db.insert(events).values(chunk)), ...forgetEvents(db, atMs)];
}

/**
 * Ids rise with time, so the oldest events that are kept are found from the lower end of the table: a write that has
 * nothing to forget reads one row each.
 */
function forgetEvents(db: Db, nowMs: number): Statement[] {
  const oldestKept = db
    .select({ id: events.id })
    .from(events)
    .where(gte(events.atMs, nowMs - EVENT_LIFE_MS))
    .orderBy(events.id)
    .limit(1);
  const newest = db.select({ id: sql`max(${events.id}) - ${MAX_EVENTS}` }).from(events);
  return [
    db.delete(events).where(lt(events.id, sql`(${oldestKept})`)),
    db.delete(events).where(lte(events.id, sql`(${newest})`)),
  ];
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
