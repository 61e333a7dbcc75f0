import type { ContainerConfig } from '../../../container/config.ts';
import type { MountConfig } from '../../../container/mount-config.ts';
import type { HostConfigBody } from '../create-request.ts';

/** What a creation says of mounts and volumes. */
export function mountsOf(host: HostConfigBody): Partial<MountConfig> {
  return host.ShmSize ? { shmBytes: host.ShmSize } : {};
}

/** The same as inspect tells it. */
export function mountsDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  return { ShmSize: config.shmBytes };
}
