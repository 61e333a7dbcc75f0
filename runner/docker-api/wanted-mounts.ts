import { existsSync } from 'node:fs';
import type { ContainerRecord } from '../container/engine.ts';
import type { ConfiguredMount } from '../container/mount-config.ts';
import type { ImageRecord } from '../image/store.ts';
import { anonymousName } from '../volume/volume-name.ts';
import { atLeast, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { containerMounts } from './translate/create/container-mounts.ts';
import { invalidMount } from './translate/create/mount-mode.ts';
import type { CreateBody } from './translate/create-request.ts';
import { refuseDriver } from './volumes.ts';

/** All that a creation asks to have mounted, upon this host and its containers. */
export function wantedMounts(
  { engine }: Pick<DockerApiContext, 'engine'>,
  request: ApiRequest,
  { body, image }: { readonly body: CreateBody; readonly image: ImageRecord },
): readonly ConfiguredMount[] {
  return containerMounts(body, {
    volumeDriver: body.HostConfig?.VolumeDriver ?? '',
    newName: anonymousName,
    hostHas: existsSync,
    readonlyNonRecursive: !atLeast(request, '1.44'),
    refuseDriver,
    imageVolumes: Object.keys(image.config.config?.Volumes ?? {}),
    mountsOf: (reference) => {
      const record = engine.find(reference.replace(/^\//, ''));
      if (record !== undefined) return record.config.mounts;
      throw invalidMount(`No such container: ${reference.slice(0, 160)}`);
    },
  });
}

/** A host's file or directory in a container, as `FileView` has it. */
export interface ViewedBind {
  readonly source: string;
  readonly destination: string;
  readonly readonly: boolean;
}

/**
 * What a container that does not run would have mounted of the host, parents first: for copies in and out of it. A part
 * of a volume (`subpath`) is left out: only the launcher follows its links beneath the volume.
 */
export function mountedBinds(
  { volumes }: Pick<DockerApiContext, 'volumes'>,
  { config }: Pick<ContainerRecord, 'config'>,
): readonly ViewedBind[] {
  const depth = (path: string): number => path.split('/').length;
  return config.mounts
    .flatMap((mount): readonly ViewedBind[] => {
      const { kind, destination, readonly } = mount;
      if (kind === 'tmpfs' || (kind === 'volume' && mount.subpath !== '')) return [];
      return [{ source: kind === 'bind' ? mount.source : volumes.pathOf(mount.name), destination, readonly }];
    })
    .filter(({ source }) => existsSync(source))
    .toSorted((a, b) => depth(a.destination) - depth(b.destination));
}
