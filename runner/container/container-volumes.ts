import { mkdir, readFile, readdir, realpath, stat } from 'node:fs/promises';
import { BerthError, errorText, isBerthError } from '#shared/errors.ts';
import type { RuntimeMount } from '#shared/oci/runtime-spec.ts';
import type { RootFilesystem } from '../os/root-filesystem.ts';
import { mountOf, parseMountTable } from '../volume/mount-table.ts';
import type { VolumeUsage } from '../volume/volume-usage.ts';
import type { VolumeWish } from '../volume/volumes.ts';
import type { ContainerConfig } from './config.ts';
import type { EngineContext } from './engine-context.ts';
import type { ConfiguredBind, ConfiguredVolume } from './mount-config.ts';
import { ownMounts } from './mount-spec.ts';
import type { ContainerStore } from './state.ts';

/** The volumes of a container. */
export function volumesOf({ mounts }: Pick<ContainerConfig, 'mounts'>): readonly ConfiguredVolume[] {
  return mounts.filter((mount) => mount.kind === 'volume');
}

/** The names of those that nobody gave a name. */
export function anonymousVolumes(config: Pick<ContainerConfig, 'mounts'>): readonly string[] {
  return volumesOf(config).flatMap(({ anonymous, name }) => (anonymous ? [name] : []));
}

export function volumeWishes(config: Pick<ContainerConfig, 'mounts'>): readonly VolumeWish[] {
  return volumesOf(config).map(({ name, labels, driverOptions: options }) => ({ name, labels, options }));
}

/** Who uses which volume: only ever read from the containers' records. */
export function volumeUsage(store: ContainerStore): VolumeUsage {
  const uses = (config: ContainerConfig, name: string): boolean =>
    volumesOf(config).some((volume) => volume.name === name);
  return {
    usersOf: (name) => store.list().flatMap(({ id, config }) => (uses(config, name) ? [id] : [])),
    isActive: (name) =>
      store.list().some(({ state, config }) => (state === 'running' || state === 'starting') && uses(config, name)),
    isContainer: (id) => store.get(id) !== undefined,
  };
}

/**
 * Gives the volumes that are empty what the image has at their place, as Docker does when it creates the container.
 *
 * @throws BerthError `mount.over-file` where the image has a file
 */
export async function populateVolumes(
  { volumes, files }: Pick<EngineContext, 'volumes' | 'files'>,
  config: Pick<ContainerConfig, 'mounts'>,
  root: RootFilesystem,
): Promise<void> {
  for (const { name, copy, subpath, destination, anonymous } of volumesOf(config)) {
    if (!copy || subpath !== '') continue;
    await volumes.mount(name);
    const path = volumes.pathOf(name);
    await volumes.exclusively(name, async () => {
      if ((await readdir(path)).length > 0) return;
      await files.copyOut({ kind: 'root', root, binds: [] }, destination, path).catch((cause: unknown) => {
        throw isBerthError(cause) && cause.code === 'file.not-a-directory'
          ? overFile(destination, anonymous, cause)
          : cause;
      });
    });
  }
}

/** dockerd's texts, with the path in the container. */
function overFile(destination: string, anonymous: boolean, cause: Error): BerthError {
  const text = anonymous
    ? `cannot mount volume over existing file, file exists ${destination}`
    : `source ${destination} is not directory`;
  return new BerthError('internal', 'mount.over-file', text, { cause });
}

/**
 * Makes ready what a container is given: missing sources of binds are made, volumes with options mounted.
 *
 * @throws BerthError `mount.guarded`, `mount.not-shared`, `mount.source-not-made`, `volume.unknown`,
 * `volume.mount-failed`
 */
export async function prepareMounts(
  { volumes }: Pick<EngineContext, 'volumes'>,
  config: Pick<ContainerConfig, 'mounts'>,
): Promise<readonly RuntimeMount[]> {
  const mounts = ownMounts(config.mounts, (name) => volumes.pathOf(name));
  for (const mount of mounts) refuseGuarded(mount);
  for (const { name } of volumesOf(config)) await volumes.mount(name);
  for (const mount of config.mounts) {
    if (mount.kind !== 'bind') continue;
    if (mount.createSource) await makeSource(mount.source);
    await checkPropagation(mount);
  }
  return mounts;
}

/** Docker's runtime refuses /proc; /sys has masks, too, and is refused with the same words. */
function refuseGuarded({ source, destination, type }: RuntimeMount): void {
  const [, guarded] = /^(\/proc|\/sys)(?:\/|$)/.exec(destination) ?? [];
  if (guarded === undefined) return;
  const why =
    destination === '/proc'
      ? `"${source}" cannot be mounted because it is not of type proc`
      : `"${destination}" cannot be mounted because it is inside ${guarded}`;
  throw new BerthError(
    'internal',
    'mount.guarded',
    `error mounting "${type === 'bind' ? source : type}" to rootfs at "${destination}": ${why}`,
  );
}

async function makeSource(source: string): Promise<void> {
  try {
    if ((await stat(source).catch(() => undefined)) === undefined)
      await mkdir(source, { recursive: true, mode: 0o755 });
  } catch (cause) {
    const text = `error while creating mount source path '${source}': ${errorText(cause)}`;
    throw new BerthError('internal', 'mount.source-not-made', text, { cause });
  }
}

/** A mount that is to be shared with the host, or to follow it, must lie on one that the host shares. */
async function checkPropagation({ source, propagation }: ConfiguredBind): Promise<void> {
  if (propagation === 'private' || propagation === 'rprivate') return;
  const table = parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
  const found = mountOf(table, await realpath(source).catch(() => source));
  const has = (word: string): boolean => found?.propagation.some((field) => field.startsWith(`${word}:`)) ?? false;
  const slave = propagation === 'slave' || propagation === 'rslave';
  if (has('shared') || (slave && has('master'))) return;
  const kind = slave ? 'shared or slave' : 'shared';
  const text = `path ${source} is mounted on ${found?.mountPoint ?? '/'} but it is not a ${kind} mount`;
  throw new BerthError('internal', 'mount.not-shared', text);
}
