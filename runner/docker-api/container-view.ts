import { join } from 'node:path';
import type { ContainerRecord } from '../container/engine.ts';
import { containerPaths } from '../container/paths.ts';
import type { DockerApiContext } from './context.ts';
import type { ContainerPlace } from './translate/container-document.ts';
import type { ContainerSize } from './translate/container-size.ts';

/** Of its image, lowest first. */
export function layersOf(context: DockerApiContext, record: ContainerRecord): readonly string[] {
  return context.images.find(record.config.imageId)?.layerDirectories ?? [];
}

/** Where a container's files are. */
export function placeOf(context: DockerApiContext, record: ContainerRecord): ContainerPlace {
  const paths = containerPaths(context.containersDirectory, record.id);
  return {
    logPath: join(paths.state, 'container.log'),
    hostnamePath: paths.hostname,
    hostsPath: paths.hosts,
    resolvConfPath: paths.resolvConf,
    storage: {
      driver: context.storage.name,
      data: context.storage.graphData(paths.directory, layersOf(context, record)),
    },
    volumePath: (name) => context.volumes.pathOf(name),
  };
}

export async function sizeOf(context: DockerApiContext, record: ContainerRecord): Promise<ContainerSize> {
  const { directory } = containerPaths(context.containersDirectory, record.id);
  const writtenBytes = await context.storage.writtenBytes(directory, layersOf(context, record));
  return { writtenBytes, rootBytes: writtenBytes + (context.images.find(record.config.imageId)?.sizeBytes ?? 0) };
}
