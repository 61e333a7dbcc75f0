import type { Assignment } from '#shared/model/assignment.ts';
import type { TaskStatus } from '#shared/model/task.ts';
import type { ContainerRecord, ContainerState } from '../container/engine.ts';
import { slotKey, type SlotKey } from './slot.ts';
import { mustWait, type Step, type StepFailure } from './step.ts';

export interface PlanInput {
  readonly assignment: Assignment;
  /** The newest epoch seen of each slot. */
  readonly epochs: ReadonlyMap<SlotKey, number>;
  /** All containers of the host; those without a task are nobody's business here. */
  readonly containers: readonly ContainerRecord[];
  /** Which image references of the assignment are on this host. */
  readonly images: ReadonlySet<string>;
  /** Terminal statuses on disk, by task. */
  readonly outcomes: ReadonlyMap<string, TaskStatus>;
  /** Tasks that left the assignment and have no outcome on disk yet. */
  readonly departed: ReadonlySet<string>;
  /** Failed steps, by task. */
  readonly failures: ReadonlyMap<string, StepFailure>;
  /** When the control plane's lease ends or ended; undefined: none was ever given. */
  readonly leaseExpiresAtMs: number | undefined;
  readonly now: number;
}

export interface Plan {
  /** Terminal statuses to put on disk before anything else is done. */
  readonly settled: readonly TaskStatus[];
  /** Tasks whose outcome is to be forgotten. */
  readonly forgotten: readonly string[];
  /** What to do now; steps of one slot one after the other. */
  readonly steps: readonly Step[];
  /** The status of every task that is known here. */
  readonly statuses: readonly TaskStatus[];
  /** When to plan again though nothing happens; undefined: never. */
  readonly nextAtMs: number | undefined;
}

/** A plan in the making: what is there, task by task and slot by slot, and what has been decided so far. */
export interface Draft {
  readonly input: PlanInput;
  readonly containersOf: ReadonlyMap<string, readonly ContainerRecord[]>;
  /** Containers that live in a slot, by slot. */
  readonly living: ReadonlyMap<SlotKey, readonly ContainerRecord[]>;
  readonly settled: TaskStatus[];
  readonly forgotten: string[];
  readonly steps: Step[];
  readonly statuses: TaskStatus[];
  readonly wakeUps: number[];
}

export function newDraft(input: PlanInput): Draft {
  const containersOf = new Map<string, ContainerRecord[]>();
  const living = new Map<SlotKey, ContainerRecord[]>();
  for (const container of input.containers) {
    const { task } = container.config;
    if (task === undefined) continue;
    append(containersOf, task.id, container);
    if (isLiving(container.state)) append(living, slotKey(task), container);
  }
  return { input, containersOf, living, settled: [], forgotten: [], steps: [], statuses: [], wakeUps: [] };
}

function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** True while a container's process exists or will exist without anybody asking. */
export function isLiving(state: ContainerState): boolean {
  switch (state) {
    case 'starting':
    case 'running':
    case 'restarting':
    case 'removing': // its process may not have ended yet
      return true;
    case 'created':
    case 'exited':
      return false;
    default:
      throw state satisfies never;
  }
}

/** The container to keep when a task has several: one that lives, else the newest. */
export function preferred(containers: readonly ContainerRecord[]): readonly ContainerRecord[] {
  return containers.toSorted(
    (a, b) => Number(isLiving(b.state)) - Number(isLiving(a.state)) || b.createdAtMs - a.createdAtMs,
  );
}

/**
 * One step further towards a container's removal: stopped first, and removed once it has ended. A removal that is under
 * way is asked for again, since it may be one that failed; the engine does it once.
 */
export function retire(draft: Draft, taskId: string, container: ContainerRecord): void {
  const { task } = container.config;
  if (task === undefined) return;
  const failure = draft.input.failures.get(taskId);
  if (failure !== undefined && mustWait(failure, draft.input.now)) {
    draft.wakeUps.push(failure.retryAtMs);
    return;
  }
  const kind = isLiving(container.state) && container.state !== 'removing' ? 'stopContainer' : 'removeContainer';
  draft.steps.push({ kind, slot: slotKey(task), taskId, containerId: container.id });
}

/** Decides a task's outcome. */
export function settle(draft: Draft, status: TaskStatus): void {
  draft.settled.push(status);
  draft.statuses.push(status);
}
