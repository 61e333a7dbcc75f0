import { BerthError } from '#shared/errors.ts';
import type { LogConfig } from './log-config.ts';

/** What a creation that says nothing of its log gets: Docker's default, of one file without a limit. */
export const dockerLogDefault: LogConfig = { driver: 'json-file', options: {} };

const optionsOf: Readonly<Record<LogConfig['driver'], readonly string[]>> = {
  'json-file': ['max-file', 'max-size', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'],
  local: ['max-file', 'max-size', 'compress'],
  none: [],
};

/** Of every driver. Ours never make the container wait for its log, in either mode. */
const commonOptions = ['mode', 'max-buffer-size'];

/**
 * A log that somebody asks for, with the names of its options checked; `logPolicy` reads their values.
 *
 * @throws BerthError `log.config` with dockerd's texts
 */
export function checkedLogConfig(driver: string, options: Readonly<Record<string, string>>): LogConfig {
  if (driver === 'none') return { driver, options: { ...options } };
  if (driver !== 'json-file' && driver !== 'local') {
    throw bad(`logger: no log driver named '${driver.slice(0, 80)}' is registered`);
  }
  const mode = options['mode'] ?? '';
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw bad(`logger: logging mode not supported: ${mode.slice(0, 40)}`);
  }
  if (options['max-buffer-size'] !== undefined) {
    if (mode !== 'non-blocking') {
      throw bad("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    }
    if (!/^\d+(\.\d+)? ?[kmgtp]?i?b?$/i.test(options['max-buffer-size'])) {
      throw bad(`error parsing option max-buffer-size: invalid size: '${options['max-buffer-size'].slice(0, 40)}'`);
    }
  }
  const unknown = Object.keys(options).find((name) => ![...optionsOf[driver], ...commonOptions].includes(name));
  if (unknown === undefined) return { driver, options: { ...options } };
  const of = driver === 'local' ? 'log driver local' : 'json-file log driver';
  throw bad(`unknown log opt '${unknown.slice(0, 80)}' for ${of}`);
}

function bad(text: string): BerthError {
  return new BerthError('invalid', 'log.config', text);
}
