import type { Endpoint } from '../network/network.ts';
import type { ContainerRecord } from './engine.ts';
import { gatewayLink } from './links.ts';

/**
 * The containers that should be reachable at published ports now: running, wanted, and healthy where they have a health
 * check. One that is being stopped is left out before it is told to end, so that no new connection reaches it. A
 * container on several networks is reached by the one through which it answers.
 */
export function publishedEndpoints(
  records: Iterable<ContainerRecord & { readonly desired: 'running' | 'stopped' }>,
): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const { id, config, state, desired, health, address, links, published = [] } of records) {
    if (state !== 'running' || desired !== 'running' || address === undefined || published.length === 0) continue;
    if (health !== 'none' && health !== 'healthy') continue;
    // Without a way out there is none in.
    const at = links === undefined ? address : gatewayLink(config.endpoints, links)?.address;
    if (at === undefined) continue;
    endpoints.push({ containerId: id, address: at, publishGroup: config.publishGroup, ports: published });
  }
  return endpoints;
}
