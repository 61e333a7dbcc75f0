import type { Endpoint } from '../network/network.ts';
import type { ContainerRecord } from './engine.ts';

/**
 * The containers that should be reachable at published ports now: running, wanted, and healthy where they have a health
 * check. One that is being stopped is left out before it is told to end, so that no new connection reaches it.
 */
export function publishedEndpoints(
  records: Iterable<ContainerRecord & { readonly desired: 'running' | 'stopped' }>,
): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const { id, config, state, desired, health, address } of records) {
    if (state !== 'running' || desired !== 'running' || address === undefined || config.ports.length === 0) continue;
    if (health !== 'none' && health !== 'healthy') continue;
    endpoints.push({ containerId: id, address, publishGroup: config.publishGroup, ports: config.ports });
  }
  return endpoints;
}
