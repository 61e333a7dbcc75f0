import { and, asc, count, eq, inArray, isNull } from 'drizzle-orm';
import type { HostRecord } from '../core/cluster-state.ts';
import type { Db, Statement } from './commit.ts';
import { hosts, tasks } from './schema.ts';

export type HostRow = typeof hosts.$inferSelect;

export async function hostById(db: Db, id: string): Promise<HostRow | undefined> {
  return (await db.select().from(hosts).where(eq(hosts.id, id)))[0];
}

/** The host of this name that has not been removed. */
export async function hostByName(db: Db, name: string): Promise<HostRow | undefined> {
  return (
    await db
      .select()
      .from(hosts)
      .where(and(eq(hosts.name, name), isNull(hosts.removedAtMs)))
  )[0];
}

/** All hosts that have not been removed, by name. */
export function listHosts(db: Db): Promise<HostRow[]> {
  return db.select().from(hosts).where(isNull(hosts.removedAtMs)).orderBy(asc(hosts.name)).all();
}

export async function hostsById(db: Db, ids: readonly string[]): Promise<HostRow[]> {
  if (ids.length === 0) return [];
  return db
    .select()
    .from(hosts)
    .where(inArray(hosts.id, [...ids]));
}

/** How many tasks that have not ended each host has, by its id. */
export async function liveTaskCounts(db: Db): Promise<Map<string, number>> {
  const rows = await db
    .select({ hostId: tasks.hostId, tasks: count() })
    .from(tasks)
    .where(eq(tasks.ended, false))
    .groupBy(tasks.hostId);
  return new Map(rows.map((row) => [row.hostId, row.tasks]));
}

export function insertHost(db: Db, row: HostRow): Statement {
  return db.insert(hosts).values(row);
}

export function updateHost(db: Db, id: string, set: Partial<HostRow>): Statement {
  return db.update(hosts).set(set).where(eq(hosts.id, id));
}

export function toHostRecord(row: HostRow): HostRecord {
  return { ...row, removed: row.removedAtMs !== null };
}
