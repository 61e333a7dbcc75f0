import { BerthError } from '#shared/errors.ts';
import { isTerminal } from '#shared/model/task.ts';
import type { TaskView } from '#shared/api/stacks.ts';

/** How a task is called by people: `stack/service.slot`. */
export function taskName(task: TaskView): string {
  return `${task.stack}/${task.service}.${task.slot}`;
}

/**
 * The one task that a reference means: a task id, an unambiguous beginning of one, `stack/service.slot` or
 * `service.slot`. Of several tasks of a slot, the live one counts, else the newest.
 *
 * @throws BerthError `task.unknown`, `task.ambiguous`
 */
export function findTask(reference: string, tasks: readonly TaskView[]): TaskView {
  const found = currentOfSlots(matching(reference, tasks));
  const [only] = found;
  if (only === undefined) throw unknownTask(reference);
  if (found.length > 1) {
    throw new BerthError('invalid', 'task.ambiguous', `"${reference}" means ${found.length} tasks`, {
      remedy: `Write one of: ${found.slice(0, 8).map(taskName).join(', ')}.`,
    });
  }
  return only;
}

/**
 * The tasks that a reference means, in the order of their slots: as `findTask`, and also all of `service` or
 * `stack/service`.
 *
 * @throws BerthError `task.unknown`, `task.ambiguous`
 */
export function findTasks(reference: string, tasks: readonly TaskView[]): readonly TaskView[] {
  const [stack, service] = splitService(reference);
  const ofService = tasks.filter((task) => task.service === service && (stack === undefined || task.stack === stack));
  const stacks = new Set(ofService.map((task) => task.stack));
  if (stacks.size > 1) {
    throw new BerthError('invalid', 'task.ambiguous', `"${reference}" is a service of ${stacks.size} stacks`, {
      remedy: `Write one of: ${[...stacks].map((name) => `${name}/${reference}`).join(', ')}.`,
    });
  }
  const slots = currentOfSlots(ofService);
  return slots.length > 0 ? slots : [findTask(reference, tasks)];
}

function splitService(reference: string): readonly [stack: string | undefined, service: string] {
  const slash = reference.indexOf('/');
  return slash === -1 ? [undefined, reference] : [reference.slice(0, slash), reference.slice(slash + 1)];
}

function matching(reference: string, tasks: readonly TaskView[]): readonly TaskView[] {
  if (reference === '') return [];
  const exact = tasks.filter((task) => task.id === reference);
  if (exact.length > 0) return exact;
  const named = tasks.filter((task) => taskName(task) === reference || `${task.service}.${task.slot}` === reference);
  return named.length > 0 ? named : tasks.filter((task) => task.id.startsWith(reference));
}

/** One task of each slot: the one that is wanted and alive, else the newest. */
function currentOfSlots(tasks: readonly TaskView[]): readonly TaskView[] {
  const slots = new Map<string, TaskView>();
  for (const task of tasks) {
    const other = slots.get(taskName(task));
    if (other === undefined || isMoreCurrent(task, other)) slots.set(taskName(task), task);
  }
  return [...slots.values()].toSorted(bySlot);
}

function isMoreCurrent(task: TaskView, other: TaskView): boolean {
  const difference = liveness(task) - liveness(other);
  return difference === 0 ? task.createdAtMs > other.createdAtMs : difference > 0;
}

function liveness(task: TaskView): number {
  return (isTerminal(task.state) ? 0 : 2) + (task.desired ? 1 : 0);
}

/** Orders tasks by stack, service and slot, the newest first within a slot. */
export function bySlot(a: TaskView, b: TaskView): number {
  return (
    a.stack.localeCompare(b.stack) ||
    a.service.localeCompare(b.service) ||
    a.slot - b.slot ||
    b.createdAtMs - a.createdAtMs
  );
}

function unknownTask(reference: string): BerthError {
  return new BerthError('not-found', 'task.unknown', `there is no task "${reference}"`, {
    remedy: 'See `berth ps`; a task is written as its id, or as stack/service.slot.',
  });
}
