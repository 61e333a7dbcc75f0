import type { OnDisconnect } from '#shared/model/service.ts';
import type { HostRecord } from './cluster-state.ts';

/** How often a host sends its heartbeat, in milliseconds. */
export const HEARTBEAT_MS = 10_000;

/**
 * How long a disconnected host counts as merely away, in milliseconds; then it is down. A hub gives its hosts leases that
 * are no longer.
 */
export const LEASE_MS = 30_000;

/** How long the host of a `stop-after` task has to bring its stop to an end, in milliseconds: its grace period and more. */
export const STOP_MS = 30_000;

/** When a host that is away will be down, in Unix milliseconds. */
export function leaseEndMs(host: Pick<HostRecord, 'changedAtMs'>): number {
  return host.changedAtMs + LEASE_MS;
}

/**
 * From when on a task of a disconnected host counts as lost and may be replaced, in Unix milliseconds; undefined is never.
 *
 * - `keep`: never, unless its slot is no longer wanted or the host was removed.
 * - `replace-after`: so long after the disconnection, and not before the lease has ended.
 * - `stop-after`: so long after the end of the lease, and the time that a stop may take after that, even when the host was
 *   removed. The host begins to stop the task `afterMs` after the end of its own lease, which it counts from the last
 *   heartbeat that was answered: no later than the disconnection as it is seen here. So two never run.
 */
export function lostAtMs(
  host: Pick<HostRecord, 'changedAtMs' | 'removed'>,
  policy: OnDisconnect,
  wanted: boolean,
): number | undefined {
  switch (policy.kind) {
    case 'stop-after':
      return leaseEndMs(host) + policy.afterMs + STOP_MS;
    case 'replace-after':
      return host.removed ? host.changedAtMs : Math.max(leaseEndMs(host), host.changedAtMs + policy.afterMs);
    case 'keep':
      if (host.removed) return host.changedAtMs;
      return wanted ? undefined : leaseEndMs(host);
    default:
      return policy satisfies never;
  }
}
