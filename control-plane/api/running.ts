import type { TaskRow } from '../store/tasks.ts';

/** Numbers of desired tasks that do their work. */
export interface RunningCounts {
  readonly byStack: ReadonlyMap<string, number>;
  /** By service id. */
  readonly byService: ReadonlyMap<string, number>;
}

/** Counts tasks that run, and are healthy where that is checked. */
export function countRunning(tasks: readonly TaskRow[]): RunningCounts {
  const byStack = new Map<string, number>();
  const byService = new Map<string, number>();
  for (const { desired, state, health, stack, serviceId } of tasks) {
    if (!desired || state !== 'running' || health === 'starting' || health === 'unhealthy') continue;
    byStack.set(stack, (byStack.get(stack) ?? 0) + 1);
    byService.set(serviceId, (byService.get(serviceId) ?? 0) + 1);
  }
  return { byStack, byService };
}
