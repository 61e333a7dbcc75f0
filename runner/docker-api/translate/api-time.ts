import { BerthError } from '#shared/errors.ts';

/**
 * A time of a query (`since`, `until`) in milliseconds: seconds since 1970 with up to nine decimals, or RFC 3339. Empty
 * and `0`: undefined.
 *
 * @throws BerthError `docker.time-invalid`
 */
export function queryTimeMs(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text === '0') return undefined;
  const ms = /^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new BerthError(
    'invalid',
    'docker.time-invalid',
    `invalid value for "${name}": "${text.slice(0, 40)}" is no time`,
  );
}
