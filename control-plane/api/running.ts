import type { Db } from '../store/commit.ts';
import { runningCounts } from '../store/tasks.ts';

/** Numbers of desired tasks that run, and are healthy where that is checked. */
export interface Running {
  readonly byStack: ReadonlyMap<string, number>;
  /** By service id. */
  readonly byService: ReadonlyMap<string, number>;
}

/** Of one stack, or of all. */
export async function readRunning(db: Db, stack?: string): Promise<Running> {
  const byStack = new Map<string, number>();
  const byService = new Map<string, number>();
  for (const row of await runningCounts(db, stack)) {
    byStack.set(row.stack, (byStack.get(row.stack) ?? 0) + row.n);
    byService.set(row.serviceId, row.n);
  }
  return { byStack, byService };
}
