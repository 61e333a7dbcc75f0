import { BerthError } from '#shared/errors.ts';

/** What HostConfig.SecurityOpt says. Absent: nothing was said of it. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `unconfined`, `builtin`, or a profile's JSON. */
  readonly seccomp?: string;
  readonly apparmor?: string;
  /** SELinux label options (`disable`, `type:…`), which have no effect. */
  readonly labels: readonly string[];
}

/** Go's strconv.ParseBool. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false] as const),
]);

/**
 * Reads security options as dockerd does (moby daemon_unix.go, `parseSecurityOpt`): `key=value`, or `key:value` as old
 * clients write it; the last of a key counts.
 *
 * @throws BerthError `docker.security-option` with dockerd's texts
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let seccomp: string | undefined;
  let apparmor: string | undefined;
  const labels: string[] = [];
  for (const option of options) {
    if (option === 'no-new-privileges') {
      noNewPrivileges = true;
      continue;
    }
    if (option === 'disable') {
      labels.push('disable');
      continue;
    }
    const at = option.indexOf(option.includes('=') ? '=' : ':');
    if (at < 0) throw refused(1, option);
    const value = option.slice(at + 1);
    switch (option.slice(0, at)) {
      case 'label':
        labels.push(value);
        break;
      case 'apparmor':
        apparmor = value;
        break;
      case 'seccomp':
        seccomp = value;
        break;
      case 'no-new-privileges': {
        const parsed = booleans.get(value);
        if (parsed === undefined) throw refused(2, option);
        noNewPrivileges = parsed;
        break;
      }
      default:
        throw refused(2, option);
    }
  }
  return {
    noNewPrivileges,
    labels,
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(apparmor === undefined ? {} : { apparmor }),
  };
}

/** The number is dockerd's: 1 for an option without a value, 2 for one that it does not know. */
function refused(number: 1 | 2, option: string): BerthError {
  const text = `invalid --security-opt ${number}: ${JSON.stringify(option.slice(0, 160))}`;
  return new BerthError('invalid', 'docker.security-option', text);
}
