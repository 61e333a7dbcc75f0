import { BerthError } from '#shared/errors.ts';
import type { Healthcheck } from '#shared/model/service.ts';
import type { ConfigBody } from '../create-request.ts';

const nanosecondsPerMs = 1_000_000;

const durations = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const;

/** @throws BerthError `docker.healthcheck` with dockerd's texts */
function checkHealth(check: NonNullable<ConfigBody['Healthcheck']>): void {
  for (const name of durations) {
    const value = check[name] ?? 0;
    if (value !== 0 && value < nanosecondsPerMs) throw bad(`${name} in Healthcheck cannot be less than 1ms`);
  }
  if ((check.Retries ?? 0) < 0) throw bad('Retries in Healthcheck cannot be negative');
}

function bad(text: string): BerthError {
  return new BerthError('invalid', 'docker.healthcheck', text);
}

/**
 * The health check that a creation asks for; undefined: what the image says.
 *
 * @throws BerthError `docker.healthcheck` with dockerd's texts
 */
export function healthcheckOf(check: ConfigBody['Healthcheck']): Healthcheck | 'disabled' | undefined {
  if (check !== null && check !== undefined) checkHealth(check);
  const [form, ...rest] = check?.Test ?? [];
  if (check === null || check === undefined || form === undefined) return undefined;
  if (form === 'NONE') return 'disabled';
  const ms = (value: number | null | undefined): number | undefined =>
    value ? Math.max(1, Math.round(value / nanosecondsPerMs)) : undefined;
  return {
    command: form === 'CMD-SHELL' ? ['/bin/sh', '-c', rest.join(' ')] : rest,
    intervalMs: ms(check.Interval) ?? 30_000,
    timeoutMs: ms(check.Timeout) ?? 30_000,
    startPeriodMs: ms(check.StartPeriod) ?? 0,
    ...(check.StartPeriod ? { startIntervalMs: ms(check.StartInterval) ?? 5000 } : {}),
    retries: check.Retries || 3,
  };
}
