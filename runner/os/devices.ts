import { lstatSync, readdirSync, realpathSync, type BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '#shared/errors.ts';
import type { RuntimeDevice } from '#shared/oci/runtime-spec.ts';

/** Directories of the host's /dev that are mounts of their own, and names that the launcher makes itself. */
const passedOver = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console', 'ptmx']);

/** So deep are directories of devices looked into. */
const MAX_DEPTH = 8;

/** Every device node of the host's /dev, but for those that each container has of its own kind. */
export function hostDevices(): readonly RuntimeDevice[] {
  return devicesBelow('/dev', '/dev', MAX_DEPTH, passedOver);
}

/**
 * The device at a path of the host, or those in a directory there, at other paths in the container.
 *
 * @throws BerthError `device.unknown` with dockerd's text
 */
export function devicesAt(pathOnHost: string, pathInContainer: string): readonly RuntimeDevice[] {
  let real: string;
  try {
    real = realpathSync(pathOnHost);
  } catch (cause) {
    throw unknownDevice(pathOnHost, 'no such file or directory', cause);
  }
  const stat = lstatSync(real, { bigint: true });
  const device = deviceOf(stat, pathInContainer);
  const devices = device === undefined && stat.isDirectory() ? devicesBelow(real, pathInContainer, MAX_DEPTH) : [];
  if (device !== undefined) return [device];
  if (devices.length === 0) throw unknownDevice(pathOnHost, 'not a device node');
  return devices;
}

/** What goes away while it is looked at is passed over. */
function devicesBelow(
  directory: string,
  to: string,
  depth: number,
  without: ReadonlySet<string> = new Set(),
): readonly RuntimeDevice[] {
  return readdirSync(directory).flatMap((name) => {
    if (without.has(name)) return [];
    const stat = lstatSync(join(directory, name), { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return [];
    if (stat.isDirectory() && depth > 0) return devicesBelow(join(directory, name), join(to, name), depth - 1);
    const device = deviceOf(stat, join(to, name));
    return device === undefined ? [] : [device];
  });
}

/** The numbers in a `dev_t` as the C library packs them (makedev(3)). */
function deviceOf(stat: BigIntStats, path: string): RuntimeDevice | undefined {
  const type = stat.isCharacterDevice() ? 'c' : stat.isBlockDevice() ? 'b' : undefined;
  if (type === undefined) return undefined;
  const { rdev } = stat;
  return {
    path,
    type,
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
    fileMode: Number(stat.mode & 0o777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  };
}

function unknownDevice(path: string, why: string, cause?: unknown): BerthError {
  const text = `error gathering device information while adding custom device ${JSON.stringify(path.slice(0, 160))}: ${why}`;
  return new BerthError('internal', 'device.unknown', text, cause === undefined ? {} : { cause });
}
