import type { AssignedTask, TaskStatus } from '#shared/model/task.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { isLiving, newDraft, preferred, retire, settle, type Draft, type Plan, type PlanInput } from './draft.ts';
import { slotKey, type SlotKey } from './slot.ts';
import { mustWait } from './step.ts';
import { endedStatus, endText, failureStatus, runningStatus, statusOf } from './status.ts';

/** How long the outcome of a task that left the assignment is still told, in milliseconds. */
export const OUTCOME_RETENTION_MS = 600_000;

/**
 * What brings the host nearer to its assignment now, and what its tasks are like. Level-triggered: it is asked again
 * after every change, and knows nothing of what it said before.
 *
 * What always holds of its steps: a container is created or started only for the one task of a slot that may run (the
 * newest epoch that was ever seen), and only while no other container of that slot lives; a task with an outcome never
 * runs; a container without a task is never touched.
 */
export function planSteps(input: PlanInput): Plan {
  const draft = newDraft(input);
  const winners = slotWinners(input);
  const assigned = new Set<string>();
  for (const task of input.assignment.tasks) {
    assigned.add(task.id);
    if (winners.get(slotKey(task)) === task.id) planWanted(draft, task);
    else planUnwanted(draft, task.id, supersededText(task, input));
  }
  for (const taskId of new Set([...draft.containersOf.keys(), ...input.departed])) {
    if (!assigned.has(taskId)) planUnwanted(draft, taskId, 'stopped: it is no longer assigned to this host');
  }
  for (const outcome of input.outcomes.values()) {
    if (!assigned.has(outcome.taskId) && !draft.containersOf.has(outcome.taskId)) planRetention(draft, outcome);
  }
  const { settled, forgotten, steps, statuses, wakeUps } = draft;
  return { settled, forgotten, steps, statuses, nextAtMs: wakeUps.length === 0 ? undefined : Math.min(...wakeUps) };
}

/** The task of each slot that may run: of the newest epoch, if that is not older than one seen before. */
function slotWinners({ assignment, epochs }: PlanInput): ReadonlyMap<SlotKey, string> {
  const best = new Map<SlotKey, AssignedTask>();
  for (const task of assignment.tasks) {
    const key = slotKey(task);
    if (task.epoch < (epochs.get(key) ?? 0)) continue;
    const rival = best.get(key);
    const wins = rival === undefined || task.epoch > rival.epoch || (task.epoch === rival.epoch && task.id < rival.id);
    if (wins) best.set(key, task);
  }
  return new Map([...best].map(([key, task]) => [key, task.id]));
}

function supersededText(task: AssignedTask, { epochs }: PlanInput): string {
  const newest = epochs.get(slotKey(task)) ?? task.epoch;
  return newest > task.epoch
    ? `stopped: slot ${task.slot} of ${task.service} is at epoch ${newest}, this task is of epoch ${task.epoch}`
    : `stopped: another task was assigned to slot ${task.slot} of ${task.service}`;
}

// ---- a task that should run

function planWanted(draft: Draft, task: AssignedTask): void {
  const { now, outcomes, failures } = draft.input;
  const [container, ...surplus] = preferred(draft.containersOf.get(task.id) ?? []);
  for (const extra of surplus) retire(draft, task.id, extra);

  const outcome = outcomes.get(task.id);
  if (outcome !== undefined) {
    draft.statuses.push(outcome);
    if (container !== undefined && isLiving(container.state)) retire(draft, task.id, container);
    return;
  }
  if (leaseEnded(draft, task) && planLeaseEnded(draft, task, container)) return;
  const failure = failures.get(task.id);
  const failed = failure && failureStatus(task.id, failure, { container, now });
  if (failed !== undefined) {
    settle(draft, failed);
    if (container !== undefined && isLiving(container.state)) retire(draft, task.id, container);
    return;
  }
  if (container === undefined) planCreate(draft, task);
  else planPresent(draft, task, container);
}

function planCreate(draft: Draft, task: AssignedTask): void {
  const { now, images } = draft.input;
  const { image } = task.container;
  if (!images.has(image)) {
    const text = `image "${image}" is not on this host; load it with: berth image load`;
    settle(draft, statusOf(task.id, 'rejected', text, { container: undefined, now }));
    return;
  }
  const obstacle = obstacleTo(draft, task);
  draft.statuses.push(statusOf(task.id, 'preparing', obstacle ?? '', { container: undefined, now }));
  if (obstacle === undefined) draft.steps.push({ kind: 'createContainer', slot: slotKey(task), task });
}

function planPresent(draft: Draft, task: AssignedTask, container: ContainerRecord): void {
  const { now } = draft.input;
  switch (container.state) {
    case 'created':
      planStart(draft, task, container, 'preparing', '');
      return;
    case 'starting':
      draft.statuses.push(statusOf(task.id, 'starting', '', { container, now }));
      return;
    case 'running':
      draft.statuses.push(runningStatus(task.id, container, now));
      return;
    case 'restarting':
      draft.statuses.push(
        statusOf(task.id, 'starting', `${endText(container)}; it is started again`, { container, now }),
      );
      return;
    case 'removing':
      draft.statuses.push(statusOf(task.id, 'preparing', 'its container is being removed', { container, now }));
      retire(draft, task.id, container);
      return;
    case 'exited':
      planExited(draft, task, container);
      return;
    default:
      throw container.state satisfies never;
  }
}

function planExited(draft: Draft, task: AssignedTask, container: ContainerRecord): void {
  const neverRan = container.startedAtMs === undefined; // its start failed: that may be tried again
  const ended = neverRan ? undefined : endedStatus(task.id, container, draft.input.now);
  if (ended === undefined) planStart(draft, task, container, 'starting', endText(container));
  else settle(draft, ended);
}

function planStart(
  draft: Draft,
  task: AssignedTask,
  container: ContainerRecord,
  state: 'preparing' | 'starting',
  text: string,
): void {
  const obstacle = obstacleTo(draft, task);
  draft.statuses.push(statusOf(task.id, state, obstacle ?? text, { container, now: draft.input.now }));
  if (obstacle !== undefined) return;
  draft.steps.push({ kind: 'startContainer', slot: slotKey(task), taskId: task.id, containerId: container.id });
}

/** Why a task's container cannot be created or started just now, in words. */
function obstacleTo(draft: Draft, task: AssignedTask): string | undefined {
  const other = draft.living.get(slotKey(task))?.find(({ config }) => config.task?.id !== task.id);
  if (other !== undefined) return `waiting for the slot's earlier container ${other.id.slice(0, 12)} to end`;
  const failure = draft.input.failures.get(task.id);
  if (failure === undefined || !mustWait(failure, draft.input.now)) return undefined;
  draft.wakeUps.push(failure.retryAtMs);
  return `${failure.text} (failed ${failure.attempts} times, will be tried again)`;
}

// ---- the lease of `stop-after` tasks

function leaseEnded(draft: Draft, task: AssignedTask): boolean {
  const { leaseExpiresAtMs, now } = draft.input;
  if (task.onDisconnect.kind !== 'stop-after' || leaseExpiresAtMs === undefined) return false;
  const deadline = leaseExpiresAtMs + task.onDisconnect.afterMs;
  if (deadline > now) draft.wakeUps.push(deadline);
  return deadline <= now;
}

/**
 * The control plane may have replaced the task by now: what runs is stopped, what ran has ended for good, and what never
 * ran waits. Answers false when the container is none of these, but on its way out.
 */
function planLeaseEnded(draft: Draft, task: AssignedTask, container: ContainerRecord | undefined): boolean {
  const { now } = draft.input;
  const text = 'the control plane has been out of reach for longer than on_disconnect allows';
  if (container === undefined || (!isLiving(container.state) && container.startedAtMs === undefined)) {
    draft.statuses.push(statusOf(task.id, 'preparing', `waiting: ${text}`, { container, now }));
    return true;
  }
  if (container.state === 'removing') return false;
  if (isLiving(container.state)) {
    draft.statuses.push(statusOf(task.id, 'running', `stopping: ${text}`, { container, now }));
    retire(draft, task.id, container);
  } else {
    settle(draft, statusOf(task.id, 'shutdown', `stopped: ${text}`, { container, now }));
  }
  return true;
}

// ---- a task that should not run

function planUnwanted(draft: Draft, taskId: string, text: string): void {
  const { now, outcomes } = draft.input;
  const containers = preferred(draft.containersOf.get(taskId) ?? []);
  for (const container of containers) retire(draft, taskId, container);
  const [container] = containers;
  const outcome = outcomes.get(taskId);
  if (outcome !== undefined) draft.statuses.push(outcome);
  else if (container !== undefined && isLiving(container.state)) {
    draft.statuses.push(statusOf(taskId, 'running', `stopping: ${text.replace(/^stopped: /, '')}`, { container, now }));
  } else settle(draft, statusOf(taskId, 'shutdown', text, { container, now }));
}

function planRetention(draft: Draft, outcome: TaskStatus): void {
  const endsAtMs = outcome.observedAtMs + OUTCOME_RETENTION_MS;
  if (endsAtMs <= draft.input.now) {
    draft.forgotten.push(outcome.taskId);
    return;
  }
  draft.statuses.push(outcome);
  draft.wakeUps.push(endsAtMs);
}
