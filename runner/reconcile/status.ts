import type { TaskState, TaskStatus } from '#shared/model/task.ts';
import type { ContainerRecord } from '../container/engine.ts';
import type { StepFailure } from './step.ts';

type ObservedState = Exclude<TaskState, 'assigned' | 'orphaned'>;

const MAX_MESSAGE_CHARACTERS = 4096; // taskStatus.message

/** A task's status from its container's record (undefined: it has none). */
export function statusOf(
  taskId: string,
  state: ObservedState,
  message: string,
  observed: { readonly container: ContainerRecord | undefined; readonly now: number; readonly exitCode?: number },
): TaskStatus {
  const { container, now } = observed;
  const exitCode = observed.exitCode ?? container?.exitCode;
  return {
    taskId,
    state,
    health: container?.state === 'running' ? container.health : 'none',
    ...(container === undefined ? {} : { containerId: container.id, oomKilled: container.oomKilled }),
    ...(container?.address === undefined ? {} : { address: container.address }),
    ...(exitCode === undefined ? {} : { exitCode }),
    restarts: container?.restarts ?? 0,
    message: message.slice(0, MAX_MESSAGE_CHARACTERS),
    observedAtMs: now,
  };
}

/** What a running container makes of its task. */
export function runningStatus(taskId: string, container: ContainerRecord, now: number): TaskStatus {
  const observed = { container, now };
  switch (container.health) {
    case 'none':
    case 'healthy':
      return statusOf(taskId, 'running', '', observed);
    case 'starting':
      return statusOf(taskId, 'starting', 'waiting for the health check to pass', observed);
    case 'unhealthy':
      return statusOf(taskId, 'running', 'the health check fails', observed);
    default:
      throw container.health satisfies never;
  }
}

/** How a container ended, in words. */
export function endText(container: ContainerRecord): string {
  if (container.error !== '') return container.error;
  if (container.exitCode === undefined) return 'ended while nothing watched it: its exit code is not known';
  const reason = container.oomKilled ? ', killed because it went over its memory limit' : '';
  return `ended with exit code ${container.exitCode}${reason}`;
}

/** The status of a task whose container has ended for good, or undefined when its restart policy wants it to run on. */
export function endedStatus(taskId: string, container: ContainerRecord, now: number): TaskStatus | undefined {
  const policy = container.config.restart;
  const state = container.exitCode === 0 ? 'complete' : 'failed';
  switch (policy.kind) {
    case 'always':
    case 'unless-stopped':
      return undefined; // somebody stopped it on the host: the assignment wants it
    case 'no':
      return statusOf(taskId, state, endText(container), { container, now });
    case 'on-failure':
      return statusOf(taskId, state, endText(container), { container, now });
    default:
      throw policy satisfies never;
  }
}

/** After so many failures in a row of an unexplained launch, the task has failed and another host may try. */
const MAX_LAUNCH_ATTEMPTS = 5;

/** The terminal status that a failure means, or undefined when the step is worth another try. */
export function failureStatus(
  taskId: string,
  failure: StepFailure,
  observed: { readonly container: ContainerRecord | undefined; readonly now: number },
): TaskStatus | undefined {
  const terminal = (state: ObservedState, exitCode?: number): TaskStatus =>
    statusOf(taskId, state, failure.text, { ...observed, ...(exitCode === undefined ? {} : { exitCode }) });
  switch (failure.code) {
    case 'port.taken':
    case 'image.unknown':
    case 'network.addresses-exhausted':
    case 'container.no-command':
    case 'container.name-taken':
      return terminal('rejected');
    case 'launch.command-not-found':
      return terminal('failed', 127);
    case 'launch.command-not-executable':
      return terminal('failed', 126);
    case 'launch.user-unknown':
      return terminal('failed');
    case 'launch.failed':
      return failure.attempts >= MAX_LAUNCH_ATTEMPTS ? terminal('failed') : undefined;
    default:
      return undefined;
  }
}
