import { BerthError } from '#shared/errors.ts';
import { capabilityNumbers } from './capability-numbers.ts';

/** The capabilities that Docker gives a container unless told otherwise (moby oci/caps/defaults.go): fourteen. */
export const defaultCapabilities: readonly string[] = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

/** Every capability that this version knows, in the kernel's order. */
export const knownCapabilities: readonly string[] = [...capabilityNumbers.keys()].map((name) => `CAP_${name}`);

/** What a creation asks for beside the defaults, in normal form (`CAP_NET_ADMIN`, `ALL`). */
export interface CapabilityRequest {
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
}

/**
 * Names as dockerd reads them: in any case, with or without `CAP_`, and `ALL`.
 *
 * @param available what the runner itself may give away
 * @throws BerthError `capability.unknown`, `capability.unavailable` with dockerd's texts
 */
export function normalCapabilities(
  field: 'CapAdd' | 'CapDrop',
  names: readonly string[],
  available: readonly string[],
): readonly string[] {
  return names.map((written) => {
    const upper = written.toUpperCase();
    if (upper === 'ALL') return upper;
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (!knownCapabilities.includes(name)) {
      const text = `invalid ${field}: unknown capability: "${name.slice(0, 80)}"`;
      throw new BerthError('invalid', 'capability.unknown', text);
    }
    if (!available.includes(name)) {
      const text = `capability not supported by your kernel or not available in the current environment: "${name}"`;
      throw new BerthError('invalid', 'capability.unavailable', `invalid ${field}: ${text}`);
    }
    return name;
  });
}

/** The bounding set of a container, sorted as the kernel counts them (moby oci/caps/utils.go, `TweakCapabilities`). */
export function containerCapabilities(request: CapabilityRequest, available: readonly string[]): readonly string[] {
  const { privileged, capAdd, capDrop } = request;
  const kept = (name: string): boolean => !capDrop.includes(name);
  if (privileged) return sorted(available);
  if (capAdd.includes('ALL')) return sorted(available.filter(kept));
  if (capDrop.includes('ALL')) return sorted(capAdd);
  return sorted([...defaultCapabilities.filter(kept), ...capAdd]);
}

function sorted(names: readonly string[]): readonly string[] {
  return knownCapabilities.filter((name) => names.includes(name));
}

/** The capabilities of a mask in hexadecimal digits, as /proc/PID/status writes it. */
export function capabilitiesOfMask(mask: string): readonly string[] {
  const bits = BigInt(`0x${mask}`);
  return knownCapabilities.filter((_, number) => (bits & (1n << BigInt(number))) !== 0n);
}
