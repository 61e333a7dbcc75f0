import { parseDurationMs } from '#shared/duration.ts';
import { BerthError } from '#shared/errors.ts';
import { isTerminal } from '#shared/model/task.ts';
import type { ServiceView, TaskView } from '#shared/api/stacks.ts';
import type { z } from 'zod';
import type { taskList } from '#shared/api/stacks.ts';
import type { Client } from './client.ts';
import type { OptionSpecs, Session } from './command.ts';
import { taskName } from './task-reference.ts';

/** How long `--wait` waits when it is not told. */
export const DEFAULT_WAIT_MS = 300_000;
/** The options of commands that may wait for what they asked for. */
export const waitOptions = {
  wait: { kind: 'flag', summary: 'Return when every replica runs and is healthy; fail as soon as one cannot' },
  timeout: {
    kind: 'value',
    metavar: 'DURATION',
    summary: 'How long --wait waits (default: 5m)',
    parse: parseDurationMs,
  },
} as const satisfies OptionSpecs;

/** How long one question to the event log may be held; it is asked again until the deadline. */
const EVENT_WAIT_MS = 2000;

/** Tries of a slot that may end as rejected or failed: the first may meet a port or an image that is on its way. */
const TRIES = 3;

type Tasks = z.infer<typeof taskList>;

/** What keeps a stack from being what was asked for: one line a reason; none when it is; pure. */
function unmet(services: readonly ServiceView[], { tasks, pending }: Tasks): readonly string[] {
  const missing = services
    .filter((service) => service.runningReplicas + completed(service, tasks) !== service.spec.replicas)
    .map(({ spec, runningReplicas }) => `${spec.name}: ${runningReplicas} of ${spec.replicas} run`);
  const surplus = tasks
    .filter((task) => !task.desired && !isTerminal(task.state))
    .map((task) => `${taskName(task)} has not ended yet`);
  if (missing.length === 0) return surplus;
  const waiting = pending.map((slot) => `${slot.service}.${slot.slot} waits for a host: ${slot.reason}`);
  const troubled = tasks
    .filter((task) => (task.desired || !isTerminal(task.state)) && task.state !== 'running' && task.message !== '')
    .map(trouble);
  return [...missing, ...surplus, ...waiting, ...troubled];
}

function isOf({ stack, spec }: ServiceView, task: TaskView): boolean {
  return task.stack === stack && task.service === spec.name;
}

/** How many replicas have done their work and, by their restart policy, are not started again. */
function completed(service: ServiceView, tasks: readonly TaskView[]): number {
  const { kind } = service.spec.container.restart;
  if (kind !== 'no' && kind !== 'on-failure') return 0;
  return tasks.filter((task) => isOf(service, task) && task.desired && task.state === 'complete').length;
}

/**
 * Why waiting on makes no sense, one line a task; none while there is hope; pure. A slot is given up when its task has
 * failed and its restart policy allows no other try, or when so many tries of it ended one after the other. Only tasks
 * since the current revision count: an older one may be about to be replaced.
 */
function hopeless(
  services: readonly ServiceView[],
  tasks: readonly TaskView[],
  appliedAtMs: number,
): readonly string[] {
  const ended = tasks.filter(
    ({ state, createdAtMs }) => (state === 'rejected' || state === 'failed') && createdAtMs >= appliedAtMs,
  );
  return services.flatMap((service) => {
    const { restart } = service.spec.container;
    const isFinal = restart.kind === 'no' || (restart.kind === 'on-failure' && restart.maxRetries !== undefined);
    const mine = ended.filter((task) => isOf(service, task));
    return mine
      .filter((task) => {
        if (!task.desired) return false;
        if (isFinal && task.state === 'failed') return true;
        return mine.filter(({ slot }) => slot === task.slot).length >= TRIES;
      })
      .map(trouble);
  });
}

function trouble(task: TaskView): string {
  return `${taskName(task)} is ${task.state} on ${task.host?.name ?? 'no host'}: ${task.message}`;
}

/**
 * Resolves when every replica of a stack runs (and is healthy, where a health check is set) or has done its work, and
 * nothing else does.
 *
 * @throws BerthError `stack.failed` with the reasons as soon as a replica cannot run, `stack.not-converged` when
 * `timeoutMs` has passed
 */
export async function waitUntilRunning(
  session: Session,
  client: Client,
  stack: string,
  timeoutMs: number,
): Promise<void> {
  const { appliedAtMs } = await client.stack(stack);
  await waitFor(session, client, stack, timeoutMs, `stack ${stack} does not run as asked`, async () => {
    const [{ services }, tasks] = await Promise.all([client.services({ stack }), client.tasks({ stack, all: true })]);
    const lost = hopeless(services, tasks.tasks, appliedAtMs);
    if (lost.length > 0) {
      throw new BerthError('conflict', 'stack.failed', `stack ${stack} cannot run as asked`, {
        locations: lost.map((message) => ({ path: stack, message })),
        remedy: `Correct what is named and apply again; see \`berth ps -a ${stack}\`.`,
      });
    }
    const line = services.map(({ spec, runningReplicas }) => `${spec.name} ${runningReplicas}/${spec.replicas}`);
    session.terminal.progress(`waiting for ${stack}: ${line.join('  ')}`);
    return unmet(services, tasks);
  });
}

/** Resolves when no task of a stack is left alive. @throws BerthError `stack.not-converged` */
export async function waitUntilGone(session: Session, client: Client, stack: string, timeoutMs: number): Promise<void> {
  await waitFor(session, client, stack, timeoutMs, `stack ${stack} has not gone`, async () => {
    const { tasks } = await client.tasks({ stack });
    const alive = tasks.filter((task) => !isTerminal(task.state));
    session.terminal.progress(`waiting for ${stack} to go: ${alive.length} left`);
    return alive.map((task) => `${taskName(task)} is ${task.state} on ${task.host?.name ?? 'no host'}`);
  });
}

async function waitFor(
  { terminal }: Session,
  client: Client,
  stack: string,
  timeoutMs: number,
  failure: string,
  reasons: () => Promise<readonly string[]>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let after = (await client.events({ limit: 1 })).cursor;
  for (;;) {
    const left = await reasons();
    if (left.length === 0) break;
    const remainingMs = deadline - performance.now();
    if (remainingMs <= 0) {
      throw new BerthError('unavailable', 'stack.not-converged', `${failure} after ${timeoutMs / 1000} s`, {
        locations: left.map((message) => ({ path: stack, message })),
        remedy: `See \`berth ps ${stack}\` and \`berth events\`; the control plane goes on trying.`,
      });
    }
    // The event log wakes us as soon as something has happened; state is read afresh each time.
    const waitMs = Math.ceil(Math.min(EVENT_WAIT_MS, remainingMs));
    after = (await client.events({ after, limit: 1000, waitMs })).cursor;
  }
  terminal.clearProgress();
}
