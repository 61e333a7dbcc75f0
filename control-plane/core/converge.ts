import { canonicalJson } from '#shared/canonical-json.ts';
import type { OnDisconnect } from '#shared/model/service.ts';
import { isTerminal } from '#shared/model/task.ts';
import { backoffMs, nextAttempt } from './backoff.ts';
import type { Convergence } from './change.ts';
import type { ClusterState, ServiceRecord, TaskRecord } from './cluster-state.ts';
import { Draft } from './draft.ts';
import { leaseEndMs, lostAtMs } from './lease.ts';
import { rollService } from './roll.ts';

/**
 * What has to change so that the tasks become what the services want, given what the hosts are. Pure: the clock is part
 * of the state. Invariants: a slot has at most one desired task; a slot gets a task only when no older one of it may
 * still run; a second run right after the first one was stored changes nothing.
 */
export function converge(state: ClusterState): Convergence {
  const draft = new Draft(state);
  endLeases(draft);
  for (const task of state.tasks) settleTask(draft, task);
  for (const service of state.services) {
    for (let slot = 1; slot <= service.spec.replicas; slot += 1) fillSlot(draft, service, slot);
    rollService(draft, service);
  }
  return draft.result();
}

function endLeases(draft: Draft): void {
  for (const host of draft.state.hosts) {
    if (host.state !== 'away') continue;
    if (draft.state.nowMs >= leaseEndMs(host)) draft.hostDown(host);
    else draft.wakeAt(leaseEndMs(host));
  }
}

/** Passes a changed `on_disconnect` on, orphans a task whose host is lost, and retires one that is not wanted. */
function settleTask(draft: Draft, task: TaskRecord): void {
  const service = draft.services.get(task.serviceId);
  const wanted = draft.isWanted(task);
  const policy = currentPolicy(draft, task, wanted ? service : undefined);
  const lost = lostReason(draft, task, policy, wanted);
  if (lost !== undefined) draft.orphan(task, lost);
  else if (!task.desired) return;
  else if (service === undefined) draft.retire(task, `service ${task.service} was removed`);
  else if (!wanted) draft.retire(task, `service ${task.service} was scaled down to ${service.spec.replicas}`);
  else if (policy !== task.onDisconnect) draft.amend(task, service);
}

/**
 * The service's `on_disconnect` where the task may follow it: a host that cannot be told of the change acts by what it
 * knows, so `stop-after` neither begins nor ends to hold while it is not connected.
 */
function currentPolicy(draft: Draft, task: TaskRecord, service: ServiceRecord | undefined): OnDisconnect {
  const { onDisconnect: known } = task;
  if (service === undefined || !task.desired) return known;
  const { onDisconnect: wanted } = service.spec;
  if (canonicalJson(known) === canonicalJson(wanted)) return known;
  const stops = known.kind === 'stop-after' || wanted.kind === 'stop-after';
  return stops && draft.hosts.get(task.hostId)?.state !== 'ready' ? known : wanted;
}

function lostReason(draft: Draft, task: TaskRecord, policy: OnDisconnect, wanted: boolean): string | undefined {
  if (isTerminal(task.state)) return undefined;
  const host = draft.hosts.get(task.hostId);
  if (host === undefined) return 'its host is unknown';
  if (host.state === 'ready' && !host.removed) return undefined;
  const atMs = lostAtMs(host, policy, wanted && task.desired);
  if (atMs === undefined) return undefined;
  if (draft.state.nowMs < atMs) {
    draft.wakeAt(atMs);
    return undefined;
  }
  return `host ${host.name} ${host.removed ? 'was removed' : 'is lost'} (on_disconnect: ${policy.kind})`;
}

/** Gives an empty slot a task, and one whose task has ended another one once its backoff is over. */
function fillSlot(draft: Draft, service: ServiceRecord, slot: number): void {
  const { desired, stopping } = draft.slot(service.id, slot);
  if (stopping) return; // the report that it has stopped, or its host's loss, brings us back
  if (desired === undefined) {
    draft.fill(service, slot, 1, undefined, 'the slot is empty');
    return;
  }
  if (!isTerminal(desired.state) || draft.isOutdated(desired, service) || isDone(desired)) return;
  const dueAtMs = (desired.endedAtMs ?? draft.state.nowMs) + backoffMs(desired.attempt);
  if (draft.state.nowMs < dueAtMs) draft.wakeAt(dueAtMs);
  else draft.fill(service, slot, nextAttempt(desired), desired, `the slot's task ended as ${desired.state}`);
}

/** True when a task that ended is not to be followed by another one: its restart policy says so. */
function isDone(task: TaskRecord): boolean {
  const { restart } = task.container;
  switch (restart.kind) {
    case 'always':
    case 'unless-stopped':
      return false;
    case 'no':
      return task.state === 'complete' || task.state === 'failed';
    case 'on-failure':
      return task.state === 'complete' || (task.state === 'failed' && restart.maxRetries !== undefined);
    default:
      return restart satisfies never;
  }
}
