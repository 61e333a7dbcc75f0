import { and, asc, count, eq, gt, inArray, lte, notInArray, or, sql, type SQL } from 'drizzle-orm';
import type { AssignedTask } from '#shared/model/task.ts';
import type { TaskRecord } from '../core/cluster-state.ts';
import { inChunks, type Db, type Statement } from './commit.ts';
import { tasks } from './schema.ts';

export type TaskRow = typeof tasks.$inferSelect;

/** How many ended tasks of a slot stay on record beside the newest one. */
const HISTORY = 4;

/** Tasks that are desired or have not ended: all that convergence looks at. */
export async function liveTasks(db: Db): Promise<TaskRow[]> {
  return db
    .select()
    .from(tasks)
    .where(or(eq(tasks.desired, true), eq(tasks.ended, false)))
    .orderBy(asc(tasks.serviceId), asc(tasks.slot), asc(tasks.epoch));
}

/** How many desired tasks of a service do their work: they run, and are healthy where that is checked. */
export async function runningCounts(
  db: Db,
  stack?: string,
): Promise<{ stack: string; serviceId: string; n: number }[]> {
  return db
    .select({ stack: tasks.stack, serviceId: tasks.serviceId, n: count() })
    .from(tasks)
    .where(
      and(
        eq(tasks.desired, true),
        eq(tasks.state, 'running'),
        notInArray(tasks.health, ['starting', 'unhealthy']),
        stack === undefined ? undefined : eq(tasks.stack, stack),
      ),
    )
    .groupBy(tasks.stack, tasks.serviceId);
}

export async function taskById(db: Db, id: string): Promise<TaskRow | undefined> {
  return (await db.select().from(tasks).where(eq(tasks.id, id)))[0];
}

export async function tasksById(db: Db, ids: readonly string[]): Promise<TaskRow[]> {
  if (ids.length === 0) return [];
  return db
    .select()
    .from(tasks)
    .where(inArray(tasks.id, [...ids]));
}

/** What GET /v1/tasks shows, by stack, service, slot and age. */
export async function listTasks(
  db: Db,
  query: {
    readonly stack?: string | undefined;
    readonly service?: string | undefined;
    readonly hostId?: string | undefined;
    readonly all?: boolean | undefined;
  },
): Promise<TaskRow[]> {
  const where: (SQL | undefined)[] = [
    query.stack === undefined ? undefined : eq(tasks.stack, query.stack),
    query.service === undefined ? undefined : eq(tasks.service, query.service),
    query.hostId === undefined ? undefined : eq(tasks.hostId, query.hostId),
    query.all === true ? undefined : or(eq(tasks.desired, true), eq(tasks.ended, false)),
  ];
  return db
    .select()
    .from(tasks)
    .where(and(...where))
    .orderBy(asc(tasks.stack), asc(tasks.service), asc(tasks.slot), asc(tasks.createdAtMs));
}

/** Everything that a host should have: its desired tasks, also those that have ended and wait to be followed. */
export async function desiredTasks(db: Db, hostId: string): Promise<TaskRow[]> {
  return db
    .select()
    .from(tasks)
    .where(and(eq(tasks.hostId, hostId), eq(tasks.desired, true)));
}

/**
 * Tasks that a host was never told of: retired before it held any assignment with them. It will not report their end.
 */
export async function neverHeldTasks(
  db: Db,
  host: { readonly id: string; readonly appliedGeneration: number },
  nowHeld: number,
): Promise<TaskRow[]> {
  return db
    .select()
    .from(tasks)
    .where(
      and(
        eq(tasks.hostId, host.id),
        eq(tasks.desired, false),
        eq(tasks.state, 'assigned'),
        gt(tasks.generation, host.appliedGeneration),
        lte(tasks.retiredGeneration, nowHeld),
      ),
    );
}

export function insertTasks(db: Db, rows: readonly TaskRow[]): Statement[] {
  return inChunks(rows).map((chunk) => db.insert(tasks).values(chunk));
}

export function updateTasks(db: Db, ids: readonly string[], set: Partial<TaskRow>): Statement[] {
  return inChunks(ids, 500).map((chunk) => db.update(tasks).set(set).where(inArray(tasks.id, chunk)));
}

/** Forgets the ended tasks of these services beyond the newest few of each slot: the events keep the history. */
export function pruneTasks(db: Db, serviceIds: readonly string[]): Statement[] {
  return inChunks(serviceIds, 500).map((chunk) => {
    const ranked = db
      .select({
        id: tasks.id,
        age: sql<number>`row_number() OVER (PARTITION BY ${tasks.serviceId}, ${tasks.slot} ORDER BY ${tasks.epoch} DESC)`.as(
          'age',
        ),
      })
      .from(tasks)
      .where(inArray(tasks.serviceId, chunk))
      .as('ranked');
    const old = db
      .select({ id: ranked.id })
      .from(ranked)
      .where(gt(ranked.age, HISTORY + 1));
    return db.delete(tasks).where(and(inArray(tasks.id, old), eq(tasks.desired, false), eq(tasks.ended, true)));
  });
}

export function toTaskRecord(row: TaskRow): TaskRecord {
  return { ...row, runningAtMs: row.runningAtMs ?? undefined, endedAtMs: row.endedAtMs ?? undefined };
}

export function toAssignedTask(task: AssignedTask): AssignedTask {
  const { id, stack, service, serviceId, slot, epoch, container, onDisconnect } = task;
  return { id, stack, service, serviceId, slot, epoch, container, onDisconnect };
}
