import type { DeviceRule } from '#shared/oci/runtime-spec.ts';

const character = (major: number, minor?: number): DeviceRule => ({
  allow: true,
  type: 'c',
  major,
  ...(minor === undefined ? {} : { minor }),
  access: 'rwm',
});

/**
 * What a container may do with devices, whatever its capabilities: make any node (CAP_MKNOD is among the defaults, and
 * package managers and chroots do), but open only Docker's (moby oci/defaults.go with runc's AllowedDevices).
 */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: false, access: 'rwm' },
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
