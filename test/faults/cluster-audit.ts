import { isTerminal } from '#shared/model/task.ts';
import type { ServiceView, TaskView } from '#shared/api/stacks.ts';
import type { House } from '../house/house.ts';
import { auditHost, type HostAudit } from './host-audit.ts';

/**
 * Everything in which the control plane's view, the runners' records and the kernel differ, and everything that is not
 * as the services want it; empty when the cluster has converged.
 */
export async function differences(house: House): Promise<readonly string[]> {
  const [hosts, services, { tasks, pending }] = await Promise.all([
    house.admin.hosts(),
    house.admin.services(),
    house.admin.taskList(),
  ]);
  const found = [
    ...hosts.flatMap((host) => (host.state === 'ready' ? [] : [`host ${host.name} is ${host.state}`])),
    ...hosts.flatMap(({ name, generation, appliedGeneration }) =>
      generation === appliedGeneration ? [] : [`${name} is at generation ${appliedGeneration} of ${generation}`],
    ),
    ...pending.map(({ stack, service, slot, reason }) => `${stack}/${service}.${slot} waits: ${reason}`),
    ...serviceDifferences(services, tasks),
  ];
  if (found.length > 0) return found;
  for (const host of house.stage.hosts) {
    const mine = tasks.filter((task) => task.host?.name === host.name);
    found.push(...hostDifferences(mine, await auditHost(host)).map((text) => `${host.name}: ${text}`));
  }
  return found;
}

/** Where the tasks of the control plane are not one running one for each slot. */
function serviceDifferences(services: readonly ServiceView[], tasks: readonly TaskView[]): readonly string[] {
  const title = ({ stack, service, slot, state, message }: TaskView): string =>
    `${stack}/${service}.${slot} is ${state} ${message}`.trimEnd();
  const bad = tasks.filter(({ desired, state }) => (desired ? state !== 'running' : !isTerminal(state)));
  const counts = services.flatMap(({ stack, spec }) => {
    const mine = tasks.filter((task) => task.desired && task.stack === stack && task.service === spec.name);
    const slots = mine.map(({ slot }) => slot).toSorted((a, b) => a - b);
    const wanted = Array.from({ length: spec.replicas }, (_, index) => index + 1);
    return slots.join() === wanted.join()
      ? []
      : [`${stack}/${spec.name} has slots ${slots.join()} of ${wanted.join()}`];
  });
  return [...bad.map(title), ...counts];
}

/** Where a host has something else than its running tasks, each with one container, one process tree and one shim. */
function hostDifferences(tasks: readonly TaskView[], audit: HostAudit): readonly string[] {
  const wanted = tasks.map(({ containerId = 'none' }) => containerId).toSorted();
  const same = (what: string, ids: readonly string[]): readonly string[] =>
    ids.toSorted().join() === wanted.join() ? [] : [`${what} ${short(ids)}, tasks ${short(wanted)}`];
  const records = audit.records.flatMap(({ id, state, pid, taskId }) => {
    const task = tasks.find(({ containerId }) => containerId === id);
    if (task?.id !== taskId) return [`container ${short([id])} is of task ${taskId}, not ${task?.id}`];
    if (state !== 'running') return [`container ${short([id])} is recorded as ${state}`];
    return audit.cgroups.get(id)?.includes(pid) === true ? [] : [`container ${short([id])} has no process ${pid}`];
  });
  return [
    ...same(
      'records',
      audit.records.map(({ id }) => id),
    ),
    ...same('directories', audit.directories),
    ...same('leases', audit.leases),
    ...same('cgroups', [...audit.cgroups.keys()]),
    ...records,
    ...(audit.shims.length === wanted.length ? [] : [`${audit.shims.length} shims, ${wanted.length} tasks`]),
    ...(audit.links.length === wanted.length ? [] : [`links ${audit.links.join()}, ${wanted.length} tasks`]),
    ...(audit.spawners.length <= 1 ? [] : [`${audit.spawners.length} spawners`]),
  ];
}

function short(ids: readonly string[]): string {
  return `[${ids.map((id) => id.slice(0, 8)).join(' ')}]`;
}
