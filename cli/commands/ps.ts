import type { TaskView } from '#shared/api/stacks.ts';
import { formatAge } from '../age.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';
import { bySlot, taskName } from '../task-reference.ts';
import { familiarImage } from '../image-name.ts';

/** What a task is doing, in one word or two. */
function stateText(task: TaskView): string {
  if (task.exitCode !== undefined && task.state === 'failed') return `failed (${task.exitCode})`;
  return task.health === 'none' ? task.state : `${task.state} (${task.health})`;
}

export const ps = defineCommand({
  name: 'ps',
  summary: 'List tasks: what runs where, and how it is',
  args: { STACK: { arity: 'optional', summary: 'Only the tasks of this stack' } },
  options: { all: { kind: 'flag', short: 'a', summary: 'Also the tasks that have ended and are not wanted any more' } },
  async handler({ args, options, session: { terminal, connect } }) {
    const client = await connect();
    if (args.STACK !== undefined) await client.stack(args.STACK); // an unknown stack is an error, not an empty list
    const { tasks, pending } = await client.tasks({ stack: args.STACK, all: options.all ? true : undefined });
    if (options.json) return terminal.json({ tasks, pending });
    const now = Date.now();
    const rows = tasks
      .toSorted(bySlot)
      .map((task) => [
        taskName(task),
        task.host?.name ?? '',
        stateText(task),
        familiarImage(task.image),
        task.address ?? '',
        String(task.restarts),
        formatAge(task.createdAtMs, now),
        task.id,
        task.state === 'running' ? '' : task.message,
      ]);
    const headings = ['task', 'host', 'state', 'image', 'address', 'restarts', 'age', 'id', 'message'];
    await terminal.write(formatTable(headings, rows));
    for (const slot of pending) {
      await terminal.note(`${slot.stack}/${slot.service}.${slot.slot} waits for a host: ${slot.reason}`);
    }
  },
});
