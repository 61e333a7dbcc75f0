import { assignmentDigest } from '#shared/model/assignment.ts';
import { randomId } from '#shared/id.ts';
import { changeEvent, pendingEvent } from '../core/change-events.ts';
import type { Change, Convergence, NewTask, PendingSlot } from '../core/change.ts';
import type { NewEvent } from '../core/event.ts';
import type { Db, Statement } from './commit.ts';
import { appendEvents } from './events.ts';
import { updateHost, type HostRow } from './hosts.ts';
import { saveSlots, type SlotRow } from './services.ts';
import { insertTasks, pruneTasks, toAssignedTask, updateTasks, type TaskRow } from './tasks.ts';

/** The rows that a convergence was decided upon. */
export interface ConvergenceBase {
  readonly hosts: readonly HostRow[];
  readonly tasks: readonly TaskRow[];
  readonly slots: readonly SlotRow[];
  readonly nowMs: number;
}

/** A change with the id of the task that it is about; a task that is made gets its id here. */
interface NamedChange {
  readonly change: Change;
  readonly taskId: string;
}

function nameTasks(changes: readonly Change[]): NamedChange[] {
  return changes.map((change) => {
    if (change.kind === 'host-down') return { change, taskId: '' };
    if (change.kind !== 'task-created') return { change, taskId: change.task.id };
    return { change, taskId: randomId() };
  });
}

function newRow(task: NewTask, id: string, generation: number, nowMs: number): TaskRow {
  return {
    ...task,
    id,
    desired: true,
    ended: false,
    generation,
    retiredGeneration: null,
    createdAtMs: nowMs,
    runningAtMs: null,
    endedAtMs: null,
    state: 'assigned',
    health: 'none',
    containerId: null,
    address: null,
    exitCode: null,
    oomKilled: null,
    restarts: 0,
    message: '',
    observedAtMs: null,
  };
}

/** Hosts whose assignment a change touches, by id. */
function touchedHostIds(changes: readonly Change[]): Set<string> {
  return new Set(changes.flatMap((change) => (change.kind === 'host-down' ? [] : [change.task.hostId])));
}

/** The tasks after the changes: their rows, as far as assignments and statements need them. */
function changedRows(base: ConvergenceBase, changes: readonly NamedChange[], generations: ReadonlyMap<string, number>) {
  const rows = new Map(base.tasks.map((row) => [row.id, row]));
  for (const { change, taskId } of changes) {
    if (change.kind === 'host-down') continue;
    const generation = generations.get(change.task.hostId) ?? 0;
    if (change.kind === 'task-created') {
      rows.set(taskId, newRow(change.task, taskId, generation, base.nowMs));
      continue;
    }
    const row = rows.get(taskId);
    if (row === undefined) continue;
    if (change.kind === 'task-amended') rows.set(taskId, { ...row, onDisconnect: change.onDisconnect });
    else rows.set(taskId, { ...row, desired: false, retiredGeneration: generation });
  }
  return rows;
}

function taskStatements(db: Db, changes: readonly NamedChange[], rows: ReadonlyMap<string, TaskRow>, nowMs: number) {
  const statements: Statement[] = [];
  const created: TaskRow[] = [];
  for (const { change, taskId } of changes) {
    const row = rows.get(taskId);
    if (row === undefined) continue;
    const { retiredGeneration } = row;
    if (change.kind === 'task-created') created.push(row);
    else if (change.kind === 'task-amended') {
      statements.push(...updateTasks(db, [taskId], { onDisconnect: change.onDisconnect }));
    } else if (change.kind === 'task-retired') {
      statements.push(...updateTasks(db, [taskId], { desired: false, retiredGeneration }));
    } else if (change.kind === 'task-orphaned') {
      const { reason: message } = change;
      const ended = { state: 'orphaned', ended: true, endedAtMs: nowMs, message } as const;
      statements.push(...updateTasks(db, [taskId], { desired: false, retiredGeneration, ...ended }));
    }
  }
  return [...statements, ...insertTasks(db, created)];
}

function slotKey(slot: { readonly serviceId: string; readonly slot: number }): string {
  return `${slot.serviceId}/${slot.slot}`;
}

/** The slots whose epoch or pending reason changed. */
function changedSlots(base: ConvergenceBase, convergence: Convergence): SlotRow[] {
  const stored = new Map(base.slots.map((slot) => [slotKey(slot), slot]));
  const pending = new Map(convergence.pending.map((slot) => [slotKey(slot), slot]));
  const next = new Map<string, SlotRow>();
  for (const slot of [...base.slots, ...convergence.pending]) {
    const { serviceId, slot: number } = slot;
    const key = slotKey(slot);
    const pendingReason = pending.get(key)?.reason ?? null;
    next.set(key, { serviceId, slot: number, epoch: stored.get(key)?.epoch ?? 0, pendingReason });
  }
  for (const change of convergence.changes) {
    if (change.kind !== 'task-created') continue;
    const { serviceId, slot, epoch } = change.task;
    next.set(slotKey(change.task), { serviceId, slot, epoch, pendingReason: null });
  }
  return [...next].flatMap(([key, slot]) => {
    const before = stored.get(key);
    return before?.epoch === slot.epoch && before.pendingReason === slot.pendingReason ? [] : [slot];
  });
}

function pendingEvents(base: ConvergenceBase, pending: readonly PendingSlot[]): NewEvent[] {
  const stored = new Map(base.slots.map((slot) => [slotKey(slot), slot.pendingReason]));
  return pending.filter((slot) => stored.get(slotKey(slot)) !== slot.reason).map(pendingEvent);
}

/**
 * The statements that store a convergence, with the new generations of the hosts that it touches and its events; none
 * when it changes nothing.
 */
export async function saveConvergence(
  db: Db,
  base: ConvergenceBase,
  convergence: Convergence,
): Promise<{ statements: Statement[]; touchedHosts: string[] }> {
  const changes = nameTasks(convergence.changes);
  const touched = touchedHostIds(convergence.changes);
  const hosts = base.hosts.filter((host) => touched.has(host.id));
  const generations = new Map(hosts.map((host) => [host.id, host.generation + 1]));
  const rows = changedRows(base, changes, generations);
  const byHost = Map.groupBy(
    [...rows.values()].filter((row) => row.desired),
    (row) => row.hostId,
  );
  const statements = taskStatements(db, changes, rows, base.nowMs);
  for (const { change } of changes) {
    if (change.kind === 'host-down') statements.push(updateHost(db, change.host.id, { state: 'down' }));
  }
  for (const host of hosts) {
    const digest = await assignmentDigest({ tasks: (byHost.get(host.id) ?? []).map(toAssignedTask) });
    statements.push(updateHost(db, host.id, { generation: host.generation + 1, digest }));
  }
  statements.push(...saveSlots(db, changedSlots(base, convergence)));
  const events = [
    ...changes.map(({ change, taskId }) => changeEvent(change, taskId)),
    ...pendingEvents(base, convergence.pending),
  ];
  statements.push(...appendEvents(db, base.nowMs, events));
  const services = new Set(
    convergence.changes.flatMap((change) => (change.kind === 'task-created' ? [change.task.serviceId] : [])),
  );
  if (services.size > 0) statements.push(...pruneTasks(db, [...services]));
  return { statements, touchedHosts: hosts.map((host) => host.id) };
}
