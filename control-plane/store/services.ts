import { and, asc, eq, inArray, notInArray, sql } from 'drizzle-orm';
import type { ServiceRecord } from '../core/cluster-state.ts';
import { inChunks, type Db, type Statement } from './commit.ts';
import { services, slots, tasks } from './schema.ts';

export type SlotRow = typeof slots.$inferSelect;

function toRecord(row: typeof services.$inferSelect): ServiceRecord {
  return { id: row.id, stack: row.stack, spec: row.spec };
}

/** Services of one stack, or all, by stack and name. */
export async function listServices(db: Db, stack?: string): Promise<ServiceRecord[]> {
  const rows = await db
    .select()
    .from(services)
    .where(stack === undefined ? undefined : eq(services.stack, stack))
    .orderBy(asc(services.stack), asc(services.name));
  return rows.map(toRecord);
}

export function insertService(db: Db, service: ServiceRecord): Statement {
  return db
    .insert(services)
    .values({ id: service.id, stack: service.stack, name: service.spec.name, spec: service.spec });
}

export function updateService(db: Db, service: ServiceRecord): Statement {
  return db.update(services).set({ spec: service.spec }).where(eq(services.id, service.id));
}

/**
 * Forgets services and what is known of their slots; convergence retires their tasks. Tasks that have ended of services
 * that are gone are forgotten too: those of these services with the next removal, when they have stopped.
 */
export function removeServices(db: Db, ids: readonly string[]): Statement[] {
  if (ids.length === 0) return [];
  return [
    db.delete(services).where(inArray(services.id, [...ids])),
    db.delete(slots).where(inArray(slots.serviceId, [...ids])),
    db
      .delete(tasks)
      .where(
        and(
          eq(tasks.desired, false),
          eq(tasks.ended, true),
          notInArray(tasks.serviceId, db.select({ id: services.id }).from(services)),
        ),
      ),
  ];
}

export async function listSlots(db: Db): Promise<SlotRow[]> {
  return db.select().from(slots);
}

/** Sets what is known of slots. */
export function saveSlots(db: Db, rows: readonly SlotRow[]): Statement[] {
  const set = { epoch: sql`excluded.epoch`, pendingReason: sql`excluded.pending_reason` };
  return inChunks(rows).map((chunk) =>
    db
      .insert(slots)
      .values(chunk)
      .onConflictDoUpdate({ target: [slots.serviceId, slots.slot], set }),
  );
}
