import type { Change, PendingSlot } from './change.ts';
import type { NewEvent } from './event.ts';

/** Names of a task for an event. */
export function taskSubject(task: {
  readonly id: string;
  readonly stack: string;
  readonly service: string;
  readonly slot: number;
}): Record<string, string> {
  return { stack: task.stack, service: task.service, slot: String(task.slot), task: task.id };
}

function title(task: { readonly stack: string; readonly service: string; readonly slot: number }): string {
  return `${task.stack}/${task.service}.${task.slot}`;
}

function rule(name: string): NewEvent['cause'] {
  return { kind: 'system', rule: name };
}

/** The event that a change of convergence leaves; `taskId` is that of the task it is about, made or known. */
export function changeEvent(change: Change, taskId: string): NewEvent {
  switch (change.kind) {
    case 'host-down':
      return {
        kind: 'host.down',
        subject: { host: change.host.name },
        message: `host ${change.host.name} has been away for longer than its lease`,
        cause: rule('lease'),
      };
    case 'task-created':
      return {
        kind: 'task.created',
        subject: { ...taskSubject({ ...change.task, id: taskId }), host: change.hostName },
        message: `${title(change.task)} goes to host ${change.hostName}: ${change.reason}`,
        cause: rule('converge'),
      };
    case 'task-retired':
      return {
        kind: 'task.retired',
        subject: taskSubject(change.task),
        message: `${title(change.task)} is no longer wanted: ${change.reason}`,
        cause: rule('converge'),
      };
    case 'task-orphaned':
      return {
        kind: 'task.orphaned',
        subject: taskSubject(change.task),
        message: `${title(change.task)} was given up: ${change.reason}`,
        cause: rule('on_disconnect'),
      };
    case 'task-amended':
      return {
        kind: 'task.amended',
        subject: taskSubject(change.task),
        message: `${title(change.task)} has on_disconnect ${change.onDisconnect.kind} now`,
        cause: rule('converge'),
      };
    default:
      return change satisfies never;
  }
}

/** The event of a slot that began to wait, or waits for another reason now. */
export function pendingEvent(pending: PendingSlot): NewEvent {
  return {
    kind: 'slot.pending',
    subject: { stack: pending.stack, service: pending.service, slot: String(pending.slot) },
    message: `${title(pending)} has no host: ${pending.reason}`,
    cause: rule('schedule'),
  };
}
