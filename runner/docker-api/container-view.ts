import { join } from 'node:path';
import type { ContainerRecord } from '../container/engine.ts';
import { containerPaths } from '../container/paths.ts';
import type { DockerApiContext } from './context.ts';
import type { ContainerPlace } from './translate/container-document.ts';
import type { ContainerSize } from './translate/container-size.ts';
import { treeBytes } from './tree-bytes.ts';

/** Where a container's files are. */
export function placeOf(context: DockerApiContext, record: ContainerRecord): ContainerPlace {
  const paths = containerPaths(context.containersDirectory, record.id);
  return {
    logPath: join(paths.state, 'container.log'),
    hostnamePath: paths.hostname,
    hostsPath: paths.hosts,
    resolvConfPath: paths.resolvConf,
    upper: paths.upper,
    work: paths.work,
    volumePath: (name) => context.volumes.pathOf(name),
    layers: context.images.find(record.config.imageId)?.layerDirectories ?? [],
  };
}

export async function sizeOf(context: DockerApiContext, record: ContainerRecord): Promise<ContainerSize> {
  const { upper } = containerPaths(context.containersDirectory, record.id);
  const writtenBytes = await treeBytes(upper);
  return { writtenBytes, rootBytes: writtenBytes + (context.images.find(record.config.imageId)?.sizeBytes ?? 0) };
}
