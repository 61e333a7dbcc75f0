import { randomBytes } from 'node:crypto';
import type { ContainerConfig } from './config.ts';
import { anonymousVolumes, populateVolumes, volumeWishes } from './container-volumes.ts';
import { removeContainerDirectory } from './ending.ts';
import type { ContainerRecord } from './engine.ts';
import { pathsOf, type EngineContext } from './engine-context.ts';
import { unknownImage } from './launch.ts';
import { makeContainerDirectories } from './paths.ts';
import { toRecord, type StoredContainer } from './state.ts';

/** Its directories, its volumes with what its image has in them, and last its record: without one, nothing is left. */
export async function createContainer(context: EngineContext, config: ContainerConfig): Promise<ContainerRecord> {
  const { store, images, storage, clock } = context;
  const image = images.find(config.imageId);
  if (image === undefined) throw unknownImage(config.image);
  store.requireFreeName(config.name);
  const id = randomBytes(32).toString('hex');
  const hostname = config.hostname === '' ? id.slice(0, 12) : config.hostname;
  await using volumes = await context.volumes.acquire(id, volumeWishes(config));
  const paths = pathsOf(context, id);
  let record: StoredContainer;
  try {
    makeContainerDirectories(paths);
    const root = await storage.prepare(paths.directory, image.layerDirectories);
    if (config.mounts.length > 0) await populateVolumes(context, config, root);
    if (images.find(config.imageId) === undefined) throw unknownImage(config.image); // removed meanwhile
    record = store.insert(id, { ...config, hostname }, clock());
  } catch (error) {
    await removeContainerDirectory(context, id);
    throw error;
  }
  const goesWithVolumes = config.autoRemove === true || config.task !== undefined;
  const ownVolumes = goesWithVolumes ? anonymousVolumes(config) : [];
  volumes.keep((name) => ownVolumes.includes(name));
  await store.synced();
  return toRecord(record);
}
