import { readFileSync } from 'node:fs';
import { capabilitiesOfMask } from '../security/capabilities.ts';

/** What of this machine and process decides what containers can be given. */
export interface SecurityFacts {
  /** What the runner may itself, and so give away. */
  readonly capabilities: readonly string[];
  /** Names of the AppArmor profiles that are loaded; undefined where the kernel has no AppArmor. */
  readonly apparmorProfiles: readonly string[] | undefined;
}

/** Reads them; they do not change while the runner runs, but for the profiles. */
export function securityFacts(): SecurityFacts {
  const status = readFileSync('/proc/self/status', 'utf8');
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  const enabled = textOf('/sys/module/apparmor/parameters/enabled').startsWith('Y');
  const profiles = textOf('/sys/kernel/security/apparmor/profiles');
  return {
    capabilities: capabilitiesOfMask(mask),
    apparmorProfiles: enabled ? profileNames(profiles) : undefined,
  };
}

/** The names in lines such as `docker-default (enforce)`. */
export function profileNames(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(.+) \([a-z]+\)$/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
