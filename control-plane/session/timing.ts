import { BerthError } from '#shared/errors.ts';
import { HEARTBEAT_MS, LEASE_MS } from '../core/lease.ts';
import type { HostSocket } from './host-socket.ts';

/** How patient a hub is, in milliseconds. */
export interface HubTiming {
  /** How often a host sends a heartbeat. */
  readonly heartbeatMs: number;
  /** How long a host counts as connected after its last answered heartbeat. */
  readonly leaseMs: number;
  /** How long a new connection has for its hello. */
  readonly helloMs: number;
}

/** A lease is three heartbeats: two may be lost. */
const DEFAULT_TIMING: HubTiming = { heartbeatMs: HEARTBEAT_MS, leaseMs: LEASE_MS, helloMs: 10_000 };

/**
 * The default timing with another heartbeat or lease; a hello has no more time than a lease.
 *
 * @throws BerthError `timing.invalid`
 */
export function hubTiming(heartbeatMs = DEFAULT_TIMING.heartbeatMs, leaseMs = DEFAULT_TIMING.leaseMs): HubTiming {
  if (!Number.isSafeInteger(heartbeatMs) || !Number.isSafeInteger(leaseMs) || heartbeatMs < 1) {
    const what = `a heartbeat of ${heartbeatMs} ms and a lease of ${leaseMs} ms are not times`;
    throw new BerthError('invalid', 'timing.invalid', what, { remedy: 'Give whole milliseconds, 1 or more.' });
  }
  if (leaseMs < 2 * heartbeatMs) {
    const what = `a lease of ${leaseMs} ms is shorter than two heartbeats of ${heartbeatMs} ms`;
    throw new BerthError('invalid', 'timing.invalid', what, { remedy: 'Make the lease longer: three heartbeats.' });
  }
  // The decision when a lost host's tasks may run elsewhere counts on it: core/lease.ts.
  if (leaseMs > LEASE_MS) {
    const what = `a lease of ${leaseMs} ms is longer than ${LEASE_MS} ms`;
    throw new BerthError('invalid', 'timing.invalid', what, { remedy: `Give ${LEASE_MS} ms or less.` });
  }
  return { heartbeatMs, leaseMs, helloMs: Math.min(DEFAULT_TIMING.helloMs, leaseMs) };
}

/** When this socket must be closed unless it is heard of before, and why; undefined when it is closed already. */
export function deadlineOf(
  socket: HostSocket,
  timing: HubTiming,
): { readonly atMs: number; readonly error: BerthError } | undefined {
  const { session } = socket;
  switch (session.phase) {
    case 'challenged':
      return {
        atMs: session.openedAtMs + timing.helloMs,
        error: new BerthError('invalid', 'host.silent', `control channel: no hello within ${timing.helloMs} ms`),
      };
    case 'ready':
      return {
        atMs: Math.max(session.welcomedAtMs, socket.lastHeartbeatMs ?? 0) + timing.leaseMs,
        error: new BerthError(
          'unavailable',
          'host.silent',
          `control channel: no heartbeat within ${timing.leaseMs} ms`,
          {
            remedy: 'Connect again; the lease of this host has ended.',
          },
        ),
      };
    case 'closed':
      return undefined;
    default:
      return session satisfies never;
  }
}
