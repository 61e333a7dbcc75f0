import type { LinkSpec } from '../launcher/launcher.ts';
import type { NetworkLink } from '../network/network.ts';
import { DEFAULT_NETWORK } from '../network/network-record.ts';
import type { EndpointConfig } from './network-config.ts';

/** True when an endpoint is the one of that network; the default network goes by its name. */
export function isEndpointOf(
  { network }: Pick<EndpointConfig, 'network'>,
  { networkId, networkName }: Pick<NetworkLink, 'networkId' | 'networkName'>,
): boolean {
  return network === networkId || (network === DEFAULT_NETWORK && networkName === DEFAULT_NETWORK);
}

/**
 * The link by which a container reaches the world: of those that have a way out, the one with the highest gateway
 * priority, else the first.
 */
export function gatewayLink(
  endpoints: readonly EndpointConfig[],
  links: readonly NetworkLink[],
): NetworkLink | undefined {
  const priorityOf = (link: NetworkLink): number =>
    endpoints.find((endpoint) => isEndpointOf(endpoint, link))?.gatewayPriority ?? 0;
  const order = (link: NetworkLink): number => endpoints.findIndex((endpoint) => isEndpointOf(endpoint, link));
  return links
    .filter(({ hasWayOut }) => hasWayOut)
    .toSorted((a, b) => priorityOf(b) - priorityOf(a) || order(a) - order(b))
    .at(0);
}

/** What the launcher is told: one link alone has a gateway. */
export function launchLinks(endpoints: readonly EndpointConfig[], links: readonly NetworkLink[]): readonly LinkSpec[] {
  const leading = gatewayLink(endpoints, links);
  return links.map((link) => launchLink(link, link === leading));
}

export function launchLink(link: NetworkLink, leads: boolean): LinkSpec {
  const { networkId: _id, networkName: _name, hasWayOut: _out, ...spec } = link;
  return leads ? spec : { ...spec, gateway: '' };
}
