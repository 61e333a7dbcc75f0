import type { DeviceRule } from '#shared/oci/runtime-spec.ts';

const character = (major: number, minor?: number): DeviceRule => ({
  allow: true,
  type: 'c',
  major,
  ...(minor === undefined ? {} : { minor }),
  access: 'rwm',
});

const denyAll: DeviceRule = { allow: false, access: 'rwm' };

/**
 * What a container may do with devices, whatever its capabilities: make any node (CAP_MKNOD is among the defaults, and
 * package managers and chroots do), but open only Docker's (moby oci/defaults.go with runc's AllowedDevices).
 */
export const defaultDeviceRules: readonly DeviceRule[] = [
  denyAll,
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  character(1, 3), // null
  character(1, 5), // zero
  character(1, 7), // full
  character(1, 8), // random
  character(1, 9), // urandom
  character(5, 0), // tty
  character(5, 1), // console
  character(5, 2), // ptmx
  character(136), // pts/*
];

/** For privileged containers: every device. */
export const openDeviceRules: readonly DeviceRule[] = [denyAll, { allow: true, access: 'rwm' }];

/**
 * The default rules and more. Rules of the same devices become one: an access is granted when one rule grants all of it,
 * and reading and writing may be asked for at once.
 */
export function withDeviceRules(more: readonly DeviceRule[]): readonly DeviceRule[] {
  const merged = new Map<string, DeviceRule>();
  for (const rule of [...defaultDeviceRules, ...more]) {
    const key = [rule.allow, rule.type ?? 'a', rule.major ?? '*', rule.minor ?? '*'].join(' ');
    const before = merged.get(key);
    const access = ['r', 'w', 'm'].filter((letter) =>
      `${before?.access ?? ''}${rule.access ?? 'rwm'}`.includes(letter),
    );
    merged.set(key, { ...rule, access: access.join('') });
  }
  return [...merged.values()];
}
