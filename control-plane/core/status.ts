import { isTerminal, mayAdvance, type TaskStatus } from '#shared/model/task.ts';
import type { TaskRecord } from './cluster-state.ts';

/** What a report changes of a stored task. */
export interface StatusAdvance {
  readonly stateChanged: boolean;
  /** Set when the task is known to run for the first time. */
  readonly runningAtMs?: number;
  /** Set when the task has ended. */
  readonly endedAtMs?: number;
}

/**
 * What a host's report of a task means for the stored one; undefined when it is late or does not concern it: states only
 * advance, and a task that has ended stays as it is.
 */
export function advance(
  task: Pick<TaskRecord, 'hostId' | 'state' | 'runningAtMs'>,
  hostId: string,
  status: Pick<TaskStatus, 'state'>,
  nowMs: number,
): StatusAdvance | undefined {
  if (task.hostId !== hostId || !mayAdvance(task.state, status.state)) return undefined;
  return {
    stateChanged: task.state !== status.state,
    ...(status.state === 'running' && task.runningAtMs === undefined ? { runningAtMs: nowMs } : {}),
    ...(isTerminal(status.state) ? { endedAtMs: nowMs } : {}),
  };
}
