import type { Healthcheck } from '#shared/model/service.ts';

/** How a container with a health check is doing. */
export interface Health {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  /** Failures in a row that count. */
  readonly failures: number;
}

export const initialHealth: Health = { status: 'starting', failures: 0 };

/** How long to wait before the next probe: in the start period, until the first success, an interval of its own. */
export function probePauseMs(
  { status }: Health,
  sinceStartMs: number,
  check: Pick<Healthcheck, 'intervalMs' | 'startPeriodMs' | 'startIntervalMs'>,
): number {
  const isStarting = status === 'starting' && sinceStartMs < check.startPeriodMs;
  return isStarting ? (check.startIntervalMs ?? check.intervalMs) : check.intervalMs;
}

/**
 * The health after one more probe, as Docker counts: a success is healthy at once and for ever ends the start period;
 * failures count after the start period, and `retries` of them in a row are unhealthy.
 *
 * @param sinceStartMs when the probe began, in milliseconds since the container's start
 */
export function nextHealth(
  health: Health,
  probe: { readonly passed: boolean; readonly sinceStartMs: number },
  check: Pick<Healthcheck, 'retries' | 'startPeriodMs'>,
): Health {
  if (probe.passed) return { status: 'healthy', failures: 0 };
  if (health.status === 'starting' && probe.sinceStartMs < check.startPeriodMs) return health;
  const failures = health.failures + 1;
  return { status: failures >= check.retries ? 'unhealthy' : health.status, failures };
}
