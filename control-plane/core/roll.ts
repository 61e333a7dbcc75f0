import { isTerminal } from '#shared/model/task.ts';
import type { ServiceRecord, TaskRecord } from './cluster-state.ts';
import type { Draft } from './draft.ts';

/**
 * Replaces a service's outdated tasks one at a time, stop first: the next one is retired only when every slot has a task
 * that is up to date and settled, or one that is outdated. Outdated tasks on hosts that are not connected are left until
 * these return; when no host could take the new container, nothing is stopped.
 */
export function rollService(draft: Draft, service: ServiceRecord): void {
  const outdated: TaskRecord[] = [];
  for (let slot = 1; slot <= service.spec.replicas; slot += 1) {
    const { desired } = draft.slot(service.id, slot);
    if (desired === undefined) return; // an empty slot: it waits for a stop or for a host
    if (draft.isOutdated(desired, service)) outdated.push(desired);
    else if (!isSettled(desired)) return;
  }
  const next = nextOutdated(draft, outdated);
  if (next === undefined) return;
  const reason = 'its service was updated';
  if (isTerminal(next.state)) {
    draft.fill(service, next.slot, 1, next, reason);
    return;
  }
  const placement = draft.scheduler.find({ serviceId: service.id, container: service.spec.container });
  if (placement.kind === 'placed') draft.retire(next, reason);
  else draft.pend(service, next.slot, `the update waits, its old task runs on: ${placement.reason}`);
}

/** Those that do no work go first, then the lowest slot. */
function nextOutdated(draft: Draft, outdated: readonly TaskRecord[]): TaskRecord | undefined {
  const reachable = outdated.filter(
    (task) => isTerminal(task.state) || draft.hosts.get(task.hostId)?.state === 'ready',
  );
  return reachable.find((task) => !isSettled(task)) ?? reachable[0];
}

/** Running, and healthy where that is checked; or complete. */
function isSettled(task: TaskRecord): boolean {
  if (task.state === 'complete') return true;
  return task.state === 'running' && task.health !== 'starting' && task.health !== 'unhealthy';
}
