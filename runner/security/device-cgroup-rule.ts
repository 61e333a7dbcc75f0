import { BerthError } from '#shared/errors.ts';
import type { DeviceRule } from '#shared/oci/runtime-spec.ts';

/** The kernel's numbers of devices have 12 bits (major) and 20 bits (minor). */
const maxMajor = 2 ** 12 - 1;
const maxMinor = 2 ** 20 - 1;

/**
 * One of HostConfig.DeviceCgroupRules: `c 10:229 rwm`, `b 8:* r`, `a *:* rwm`.
 *
 * @throws BerthError `docker.device-rule` with dockerd's text
 */
export function parseDeviceCgroupRule(text: string): DeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) throw invalid('', text);
  const [, type, major = '*', minor = '*', access = ''] = match;
  if (major !== '*' && Number(major) > maxMajor) throw invalid('major value in ', text);
  if (minor !== '*' && Number(minor) > maxMinor) throw invalid('minor value in ', text);
  return {
    allow: true,
    ...(type === 'c' || type === 'b' ? { type } : {}),
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}

function invalid(part: string, text: string): BerthError {
  const message = `invalid ${part}device cgroup rule format: '${text.slice(0, 80)}'`;
  return new BerthError('invalid', 'docker.device-rule', message);
}
