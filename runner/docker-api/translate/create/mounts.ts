import type { ContainerConfig } from '../../../container/config.ts';
import type { MountConfig } from '../../../container/mount-config.ts';
import type { HostConfigBody } from '../create-request.ts';

/** What a creation says of mounts and volumes, beside those mounts that need to know more (`containerMounts`). */
export function mountsOf(host: HostConfigBody): Partial<MountConfig> {
  return host.ShmSize ? { shmBytes: host.ShmSize } : {};
}

/** The same as inspect tells it. What was asked for of Binds, Mounts, Tmpfs and VolumesFrom is told as it came. */
export function mountsDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  return { ShmSize: config.shmBytes };
}
