import { BerthError } from '#shared/errors.ts';
import type { HostImage } from '#shared/model/host.ts';
import type { StackConfig } from '#shared/model/service.ts';
import type { ServiceRecord } from '../core/cluster-state.ts';
import { canonicalImageName } from '../core/image-name.ts';

/**
 * Refuses a host port that a service of another stack publishes.
 *
 * @throws BerthError `port.taken`
 */
export function requireFreePorts(config: StackConfig, services: readonly ServiceRecord[]): void {
  const holders = new Map(
    services
      .filter((service) => service.stack !== config.name)
      .flatMap((service) => service.spec.container.ports.map((port) => [portText(port), service] as const)),
  );
  for (const service of config.services) {
    for (const port of service.container.ports) {
      const holder = holders.get(portText(port));
      if (holder === undefined) continue;
      const by = `${holder.stack}/${holder.spec.name}`;
      throw new BerthError(
        'conflict',
        'port.taken',
        `host port ${portText(port)} of service ${config.name}/${service.name} is published by service ${by} already`,
        { remedy: `Publish another host port, or remove stack ${holder.stack} first.` },
      );
    }
  }
}

function portText(port: { readonly hostPort: number; readonly protocol: string }): string {
  return `${port.hostPort}/${port.protocol}`;
}

/**
 * Refuses an image that no host holds. One that a service has already is not asked for again: its hosts may be gone, and
 * a change of something else must be possible.
 *
 * @throws BerthError `image.unknown`
 */
export function requireKnownImages(
  config: StackConfig,
  hosts: readonly { readonly images: readonly HostImage[] }[],
  stored: readonly ServiceRecord[],
): void {
  const known = new Set(hosts.flatMap((host) => host.images.flatMap((image) => [image.id, ...image.references])));
  const used = new Map(stored.map((service) => [service.spec.name, service.spec.container.image]));
  for (const { name, container } of config.services) {
    const { image } = container;
    if (known.has(canonicalImageName(image)) || used.get(name) === image) continue;
    throw new BerthError('invalid', 'image.unknown', `image ${image} of service ${config.name}/${name} is on no host`, {
      remedy: `Bring it there with "berth image load ARCHIVE --host HOST"; "berth image ls" lists what the hosts hold.`,
    });
  }
}
