import { BerthError } from '#shared/errors.ts';
import type { ContainerConfig } from '../../../container/config.ts';
import type { IsolationConfig } from '../../../container/isolation-config.ts';
import type { HostConfigBody } from '../create-request.ts';

/**
 * What a creation says of isolation.
 *
 * @throws BerthError `docker.field-unsupported`
 */
export function isolationOf(host: HostConfigBody): Partial<IsolationConfig> {
  return {
    readonlyRootfs: host.ReadonlyRootfs ?? false,
    noNewPrivileges: noNewPrivileges(host.SecurityOpt ?? []),
  };
}

/** The same as inspect tells it. */
export function isolationDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  return { ReadonlyRootfs: config.readonlyRootfs, Runtime: 'berth', CgroupnsMode: 'private', IpcMode: 'private' };
}

function noNewPrivileges(options: readonly string[]): boolean {
  let enabled = false;
  for (const option of options) {
    if (/^no-new-privileges([:=]true)?$/.test(option)) enabled = true;
    else if (/^no-new-privileges[:=]false$/.test(option)) enabled = false;
    else {
      const text = `HostConfig.SecurityOpt: "${option.slice(0, 80)}" is not supported in this version`;
      throw new BerthError('unsupported', 'docker.field-unsupported', text);
    }
  }
  return enabled;
}
