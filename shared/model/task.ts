import { z } from 'zod';
import { objectId, objectName } from './names.ts';
import { containerSpec, onDisconnect } from './service.ts';

/**
 * A task's life, in the order in which it advances. `assigned` is written by the control plane; from `preparing` on
 * the states are observed on the host. The last five are terminal.
 */
export const taskState = z.enum([
  'assigned',
  'preparing', // creating the container
  'starting', // the process runs, the health check has not passed yet
  'running',
  'complete', // ended by itself with exit code 0 and no restart due
  'failed', // ended otherwise, restart policy exhausted
  'rejected', // the host cannot run it (image missing, port taken)
  'shutdown', // stopped because it is no longer wanted
  'orphaned', // its host is gone
]);
export type TaskState = z.infer<typeof taskState>;

const terminal: ReadonlySet<TaskState> = new Set(['complete', 'failed', 'rejected', 'shutdown', 'orphaned']);

/** True when a task in this state will never run again. */
export function isTerminal(state: TaskState): boolean {
  return terminal.has(state);
}

/** True when a task may go from one state to the other: states only advance, and terminal states stay. */
export function mayAdvance(from: TaskState, to: TaskState): boolean {
  if (isTerminal(from)) return false;
  if (from === 'running' && to === 'starting') return true; // a restart on the host begins a new start
  return taskState.options.indexOf(to) >= taskState.options.indexOf(from);
}

/** A task as its host receives it. */
export const assignedTask = z.object({
  id: objectId,
  stack: objectName,
  service: objectName,
  /** The service's id: published ports of one service are shared by its tasks on a host. */
  serviceId: objectId,
  slot: z.int().min(1),
  /** The slot's epoch: a host runs a slot's task only under the newest epoch that it has seen. */
  epoch: z.int().min(1),
  container: containerSpec,
  onDisconnect,
});
export type AssignedTask = z.infer<typeof assignedTask>;

export const healthState = z.enum(['none', 'starting', 'healthy', 'unhealthy']);
export type HealthState = z.infer<typeof healthState>;

/** What a host observed of one task. Times are Unix milliseconds by the host's clock. */
export const taskStatus = z.object({
  taskId: objectId,
  state: taskState.exclude(['assigned', 'orphaned']),
  health: healthState,
  containerId: z.string().optional(),
  /** Address of the container on its host's network. */
  address: z.string().optional(),
  exitCode: z.int().optional(),
  oomKilled: z.boolean().optional(),
  /** How many times the host has started the container again. */
  restarts: z.int().min(0),
  /** Why the state is what it is, for people; names the object and the remedy when something failed. */
  message: z.string().max(4096),
  observedAtMs: z.int(),
});
export type TaskStatus = z.infer<typeof taskStatus>;
