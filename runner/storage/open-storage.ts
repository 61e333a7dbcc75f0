import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { BerthError, errorText } from '#shared/errors.ts';
import type { ContainerFiles } from '../archive/container-files.ts';
import type { ImageStore } from '../image/store.ts';
import type { Log } from '../log.ts';
import { btrfsDriver, removeChains } from './btrfs.ts';
import { driverNames, type DriverName } from './driver-name.ts';
import { BTRFS_MAGIC, fileSystemName } from './file-system-name.ts';
import { overlayDriver } from './overlay.ts';
import { overlayFault } from './overlay-probe.ts';
import type { StorageDriver } from './storage-driver.ts';
import { vfsDriver } from './vfs.ts';

export interface StorageOptions {
  readonly dataRoot: string;
  readonly database: DatabaseSync;
  /** berth-files. */
  readonly binary: string;
  readonly unpackBinary: string;
  readonly files: Pick<ContainerFiles, 'readChanges'>;
  readonly images: Pick<ImageStore, 'list' | 'onChange'>;
  /** As somebody asked for it; undefined: what the data root uses already, or what works. */
  readonly wanted: DriverName | undefined;
  readonly log: Log;
}

/** A data root's storage. Disposing it waits for what it is tidying up. */
export interface Storage extends AsyncDisposable {
  readonly driver: StorageDriver;
  /** What `docker info` should warn of. */
  readonly warnings: readonly string[];
  /** Takes away what there is beside the containers' own. */
  removeTraces(): Promise<void>;
}

const vfsWarning =
  'WARNING: the vfs storage driver copies the whole image for every container; it is used because overlayfs does not work on the data root';

/**
 * Opens the storage of a data root, with the driver that its containers have; where there are none yet, with what was
 * asked for, or else the best that works.
 *
 * @throws BerthError `storage.other-driver`, `storage.unavailable`
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { dataRoot, database, binary, images, wanted, log } = options;
  const { type } = await statfs(dataRoot);
  const isBtrfs = type === BTRFS_MAGIC;
  const used = usedDriver(database);
  if (wanted !== undefined) refuseChange(options, wanted, used);
  const name = wanted ?? used ?? (await bestDriver(options, isBtrfs));
  if (name === 'btrfs' && !isBtrfs) throw unavailable(dataRoot, name, `it is on ${fileSystemName(type)}, not on btrfs`);
  if (name === 'overlay' && name !== used) {
    const fault = await overlayFault(binary, dataRoot);
    if (fault !== undefined) throw unavailable(dataRoot, name, fault);
  }
  database.prepare("insert or replace into meta (key, value) values ('storage', ?)").run(name);
  const warnings = name === 'vfs' && wanted === undefined ? [vfsWarning] : [];
  for (const text of warnings) log.warn(text.replace(/^WARNING: /, ''), { dataRoot });

  const chains = join(dataRoot, 'chains');
  const driver = driverOf(name, options, fileSystemName(type), chains);
  if (name !== 'btrfs') await removeChains(binary, chains, () => new Set());
  let tidying: Promise<void> = Promise.resolve();
  const tidy = (): void => {
    tidying = driver
      .keepOnly(() => images.list().map(({ layerDirectories }) => layerDirectories))
      .catch((error: unknown) => log.warn(`What was kept for removed images could not go: ${errorText(error)}`));
  };
  tidy();
  await tidying;
  const listening = images.onChange(tidy);
  return {
    driver,
    warnings,
    removeTraces: () => driver.keepOnly(() => []),
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]();
      await tidying;
    },
  };
}

function driverOf(name: DriverName, options: StorageOptions, backing: string, chains: string): StorageDriver {
  const { binary, unpackBinary, files } = options;
  switch (name) {
    case 'overlay':
      return overlayDriver({ files, backing });
    case 'vfs':
      return vfsDriver({ binary, unpackBinary });
    case 'btrfs':
      return btrfsDriver({ binary, chains });
    default:
      return name satisfies never;
  }
}

/** Data roots of a time before there was a choice have overlays. */
function usedDriver(database: DatabaseSync): DriverName | undefined {
  const row = database.prepare("select value from meta where key = 'storage'").get();
  return driverNames.find((name) => name === row?.['value']) ?? (containerCount(database) > 0 ? 'overlay' : undefined);
}

function containerCount(database: DatabaseSync): number {
  return Number(database.prepare('select count(*) as count from containers').get()?.['count']);
}

function refuseChange({ dataRoot, database }: StorageOptions, wanted: DriverName, used?: DriverName): void {
  const count = containerCount(database);
  if (used === undefined || used === wanted || count === 0) return;
  const containers = count === 1 ? '1 container' : `${count} containers`;
  throw new BerthError(
    'conflict',
    'storage.other-driver',
    `--storage-driver ${wanted}: the data root ${dataRoot} has ${containers} made with the storage driver ${used}`,
    { remedy: `Remove them first (images stay), go on with ${used}, or give another data root with --data-root.` },
  );
}

async function bestDriver({ binary, dataRoot, log }: StorageOptions, isBtrfs: boolean): Promise<DriverName> {
  const fault = await overlayFault(binary, dataRoot);
  if (fault === undefined) return 'overlay';
  log.warn(`overlayfs does not work on the data root: ${fault}`, { dataRoot });
  return isBtrfs ? 'btrfs' : 'vfs';
}

function unavailable(dataRoot: string, name: DriverName, why: string): BerthError {
  return new BerthError(
    'unavailable',
    'storage.unavailable',
    `The storage driver ${name} does not work on the data root ${dataRoot}: ${why}`,
    { remedy: 'Give a data root on another file system with --data-root, or another --storage-driver.' },
  );
}
