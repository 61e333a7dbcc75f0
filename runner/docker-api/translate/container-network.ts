import type { ContainerRecord } from '../../container/engine.ts';
import { isEndpointOf } from '../../container/links.ts';
import type { EndpointConfig } from '../../container/network-config.ts';
import { endpointNames } from '../../container/network-names.ts';
import { combinedId } from '../../network/combined-id.ts';
import type { Network, NetworkLink } from '../../network/network.ts';
import { DEFAULT_NETWORK, isPredefined, type NetworkRecord } from '../../network/network-record.ts';

/** The networks that there are, by which containers' endpoints are told. */
export type NetworkView = Pick<Network, 'find' | 'list'>;

type Document = Readonly<Record<string, unknown>>;

/** NetworkSettings.Networks: EndpointSettings by the network's name; addresses are empty while the container is not on it. */
export function endpointDocuments(record: ContainerRecord, networks: NetworkView): Readonly<Record<string, Document>> {
  const entries = record.config.endpoints.map((endpoint): [string, Document] => {
    const network = networks.find(endpoint.network);
    return [network?.name ?? endpoint.network, endpointDocument(record, endpoint, network)];
  });
  return Object.fromEntries(entries);
}

/** The endpoint's place on the default network, by which old clients know a container. */
export function defaultLink({ links }: ContainerRecord): NetworkLink | undefined {
  return links?.find(({ networkName }) => networkName === DEFAULT_NETWORK);
}

function endpointDocument(
  record: ContainerRecord,
  endpoint: EndpointConfig,
  network: NetworkRecord | undefined,
): Document {
  const link = record.links?.find((one) => isEndpointOf(endpoint, one));
  const isPlain = network !== undefined && network.kind !== 'bridge' && record.state === 'running';
  const named = network !== undefined && !isPredefined(network.name);
  return {
    IPAMConfig: endpoint.ipv4Address === undefined ? null : { IPv4Address: endpoint.ipv4Address },
    Links: endpoint.links.length === 0 ? null : endpoint.links,
    Aliases: endpoint.aliases.length === 0 ? null : endpoint.aliases,
    MacAddress: link?.macAddress ?? '',
    DriverOpts: endpoint.driverOptions ?? null,
    GwPriority: endpoint.gatewayPriority,
    NetworkID: network?.id ?? '',
    EndpointID: link !== undefined || isPlain ? combinedId(record.id, network?.id ?? '') : '',
    Gateway: link === undefined || !link.hasWayOut ? '' : link.gateway,
    IPAddress: link?.address ?? '',
    IPPrefixLen: link?.prefixLength ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: named ? endpointNames(record, { networkId: network.id, networkName: network.name }) : null,
  };
}
