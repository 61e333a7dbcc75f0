import { stat } from 'node:fs/promises';
import { BerthError, errorText } from '#shared/errors.ts';
import type { BlockDevice } from '#shared/oci/runtime-spec.ts';
import { isErrno } from '../os/files.ts';
import type { ResourceConfig } from './resource-config.ts';
import { blockDevicePaths, type BlockDevices } from './resource-spec.ts';

/** Major and minor of a device number as glibc packs it (gnu_dev_major(3)). */
export function deviceNumbers(rdev: bigint): BlockDevice {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
  };
}

/**
 * The numbers of the devices that a config's block limits name, now: a path may be another device at the next start.
 *
 * @throws BerthError `limits.no-device`
 */
export async function blockDevices(config: ResourceConfig, controllers: readonly string[]): Promise<BlockDevices> {
  const found = new Map<string, BlockDevice>();
  if (!controllers.includes('io')) return found;
  for (const path of blockDevicePaths(config)) found.set(path, await numbersOf(path));
  return found;
}

async function numbersOf(path: string): Promise<BlockDevice> {
  try {
    const status = await stat(path, { bigint: true });
    if (status.isBlockDevice()) return deviceNumbers(status.rdev);
  } catch (cause) {
    const why = isErrno(cause, 'ENOENT') ? 'no such file or directory' : errorText(cause);
    throw new BerthError('internal', 'limits.no-device', `stat ${path}: ${why}`, { cause });
  }
  throw new BerthError('internal', 'limits.no-device', `${path} is not a block device, so its I/O cannot be limited`);
}
