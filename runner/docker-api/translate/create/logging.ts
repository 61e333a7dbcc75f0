import { checkedLogConfig, dockerLogDefault } from '../../../container/check-log.ts';
import type { ContainerConfig } from '../../../container/config.ts';
import type { LogConfig } from '../../../container/log-config.ts';
import type { HostConfigBody } from '../create-request.ts';

/**
 * The log that a creation asks for, upon the runner's default (moby daemon/logs.go).
 *
 * @throws BerthError `log.config` with dockerd's texts
 */
export function logConfigOf({ LogConfig: asked }: HostConfigBody, otherwise: LogConfig = dockerLogDefault): LogConfig {
  const driver = asked?.Type || otherwise.driver;
  const own = asked?.Config ?? {};
  return checkedLogConfig(driver, driver === otherwise.driver ? { ...otherwise.options, ...own } : own);
}

/** What a creation says of its log, as inspect tells it. */
export function loggingDocument({ log }: ContainerConfig): Readonly<Record<string, unknown>> {
  const { driver, options } = log ?? dockerLogDefault;
  return { LogConfig: { Type: driver, Config: options } };
}
