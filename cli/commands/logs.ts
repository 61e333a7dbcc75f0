import { parseDurationMs } from '#shared/duration.ts';
import { BerthError } from '#shared/errors.ts';
import type { TaskView } from '#shared/api/stacks.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { Client } from '../client.ts';
import { defineCommand, type Session } from '../command.ts';
import { LineFormat } from '../line-format.ts';
import { wholeNumber } from '../option-values.ts';
import { Copies, dialRelay } from '../relay.ts';
import { findTasks, taskName } from '../task-reference.ts';
import { writeAll } from '../terminal.ts';

interface LogWish {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly json: boolean;
  readonly tail: number | undefined;
  readonly sinceMs: number | undefined;
}

/** A moment (RFC 3339) or how long ago (`10m`), as Unix milliseconds. @throws BerthError `cli.usage` */
function parseSince(value: string, nowMs: number): number {
  if (/^\d{4}-\d{2}-\d{2}/.test(value)) {
    const atMs = Date.parse(value);
    if (!Number.isNaN(atMs)) return atMs;
    throw new BerthError('invalid', 'cli.usage', `"${value}" is not a moment such as 2026-01-31T12:00:00Z`);
  }
  return nowMs - parseDurationMs(value);
}

export const logs = defineCommand({
  name: 'logs',
  summary: 'Show what a task, or all tasks of a service, have written',
  description: 'With several tasks, each line begins with the name of its task.',
  args: {
    TASK: { arity: 'one', summary: 'Id of a task, stack/service.slot, or [stack/]service for all of its tasks' },
  },
  options: {
    follow: { kind: 'flag', short: 'f', summary: 'Go on with what is written from now on' },
    tail: { kind: 'value', short: 'n', metavar: 'N', summary: 'Only the last N lines of each', parse: wholeNumber(0) },
    since: {
      kind: 'value',
      metavar: 'TIME',
      summary: 'Only what is newer: a moment (RFC 3339) or how long ago (10m)',
      parse: (value: string) => parseSince(value, Date.now()),
    },
    timestamps: { kind: 'flag', short: 't', summary: 'Begin each line with when it was written' },
  },
  examples: ['berth logs -f hello/worker', 'berth logs --tail 20 -t hello/web.2'],
  async handler({ args, options, session }) {
    const client = await session.connect();
    const tasks = findTasks(args.TASK, (await client.tasks({ all: true })).tasks);
    const { follow, timestamps, tail, since: sinceMs } = options;
    const wish: LogWish = { follow, timestamps, tail, sinceMs, json: options.json };
    const width = Math.max(...tasks.map((task) => taskName(task).length));
    const formatOf = (task: TaskView): FormatOf | undefined => {
      if (options.json) return (stream) => (line) => JSON.stringify({ task: taskName(task), stream, line });
      if (tasks.length === 1) return undefined;
      return () => (line) => `${taskName(task).padEnd(width)} | ${line}`;
    };
    await Promise.all(tasks.map((task) => readLog(session, client, task, wish, formatOf(task))));
  },
});

type FormatOf = (stream: 'stdout' | 'stderr') => (line: string) => string;

/** One task's log to standard output and error, as it is or with each line formatted. */
async function readLog(
  { terminal, signal }: Session,
  client: Client,
  task: TaskView,
  wish: LogWish,
  format: FormatOf | undefined,
): Promise<void> {
  const copies = new Copies();
  // For programs both go to one output, each line saying which it was.
  const errors = wish.json ? terminal.output : terminal.error;
  const onStream = (stream: RelayStream): void => {
    copies.add(copyLines(stream, errors, format?.('stderr')));
  };
  await using relay = await dialRelay(client, { type: 'logs', taskId: task.id }, onStream, signal);
  const stream = relay.open({
    type: 'logs',
    taskId: task.id,
    follow: wish.follow,
    timestamps: wish.timestamps,
    ...(wish.tail === undefined ? {} : { tail: wish.tail }),
    ...(wish.sinceMs === undefined ? {} : { sinceMs: wish.sinceMs }),
  });
  await stream.end();
  copies.add(copyLines(stream, terminal.output, format?.('stdout')));
  await stream.finished;
  await copies.done();
}

async function copyLines(
  stream: RelayStream,
  output: NodeJS.WritableStream,
  format: ((line: string) => string) | undefined,
): Promise<void> {
  const lines = format === undefined ? undefined : new LineFormat(format);
  for await (const chunk of stream.readable) {
    const printed = lines === undefined ? chunk : lines.take(chunk);
    if (printed.length > 0) await writeAll(output, printed);
  }
  const rest = lines?.finish() ?? '';
  if (rest !== '') await writeAll(output, rest);
}
