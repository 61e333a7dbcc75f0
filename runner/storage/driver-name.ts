import { BerthError } from '#shared/errors.ts';

export const driverNames = ['overlay', 'vfs', 'btrfs'] as const;
/** Docker's names, but for `overlay`, which the Docker API tells as `overlay2`. */
export type DriverName = (typeof driverNames)[number];

/** What Docker has, or had, under these names, and why it is not here. */
const refusals: Readonly<Record<string, string>> = {
  aufs: 'aufs is in no kernel that Linux has released, and Docker has given it up as well',
  devicemapper: 'devicemapper copies blocks where overlayfs copies files, and Docker has given it up as well',
  zfs: 'roots upon ZFS snapshots are not made; overlay works on ZFS from its release 2.2 on',
  'fuse-overlayfs': 'fuse-overlayfs is for engines without root; the kernel has an overlayfs of its own for us',
  overlayfs: 'overlayfs is a snapshotter of containerd, which is not used; "overlay" keeps layers in the same way',
};

/**
 * The driver of a name that somebody gave.
 *
 * @throws BerthError `storage.driver-refused`
 */
export function parseDriverName(text: string): DriverName {
  const name = driverNames.find((one) => one === (text === 'overlay2' ? 'overlay' : text));
  if (name !== undefined) return name;
  const why = refusals[text] ?? 'there is no such driver';
  throw new BerthError('invalid', 'storage.driver-refused', `--storage-driver ${text}: ${why}`, {
    remedy: 'Choose overlay (works nearly everywhere), btrfs (on that file system), or vfs (complete copies, slow).',
  });
}

/** What the Docker API calls a driver. */
export function dockerDriverName(name: DriverName): string {
  return name === 'overlay' ? 'overlay2' : name;
}
