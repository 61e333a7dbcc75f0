import type { Healthcheck } from '#shared/model/service.ts';
import type { ConfigBody } from '../create-request.ts';

const nanosecondsPerMs = 1_000_000;

/** The health check that a creation asks for; undefined: what the image says. */
export function healthcheckOf(check: ConfigBody['Healthcheck']): Healthcheck | 'disabled' | undefined {
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
    retries: check.Retries || 3,
  };
}
