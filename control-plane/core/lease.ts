import type { OnDisconnect } from '#shared/model/service.ts';
import type { HostRecord } from './cluster-state.ts';

/** How often a host sends its heartbeat, in milliseconds. */
export const HEARTBEAT_MS = 10_000;

/** How long a disconnected host counts as merely away, in milliseconds; then it is down. */
export const LEASE_MS = 30_000;

/** When a host that is away will be down, in Unix milliseconds. */
export function leaseEndMs(host: Pick<HostRecord, 'changedAtMs'>): number {
  return host.changedAtMs + LEASE_MS;
}

/**
 * From when on a task of a disconnected host counts as lost and may be replaced, in Unix milliseconds; undefined is never.
 *
 * - `keep`: never, unless its slot is no longer wanted or the host was removed.
 * - `replace-after`: so long after the disconnection, and not before the lease has ended.
 * - `stop-after`: so long after the end of the lease, even when the host was removed. The host stops the task itself,
 *   `afterMs` after the last heartbeat that was answered, which was no later than the disconnection as it is seen here:
 *   it has the length of the lease to bring the stop to its end, and two never run.
 */
export function lostAtMs(
  host: Pick<HostRecord, 'changedAtMs' | 'removed'>,
  policy: OnDisconnect,
  wanted: boolean,
): number | undefined {
  switch (policy.kind) {
    case 'stop-after':
      return leaseEndMs(host) + policy.afterMs;
    case 'replace-after':
      return host.removed ? host.changedAtMs : Math.max(leaseEndMs(host), host.changedAtMs + policy.afterMs);
    case 'keep':
      if (host.removed) return host.changedAtMs;
      return wanted ? undefined : leaseEndMs(host);
    default:
      return policy satisfies never;
  }
}
