import type { NamedEndpoint, NetworkNames } from '../network/name-table.ts';
import { isPredefined, type NetworkRecord } from '../network/network-record.ts';
import type { NetworkLink } from '../network/network.ts';
import type { ContainerRecord } from './engine.ts';
import { isEndpointOf } from './links.ts';

/**
 * What containers are called on each user-defined network, for its resolver. On the default network nobody has a name.
 * A name that a link gives another container is known on the whole network, which is more than Docker does.
 */
export function networkNames(
  networks: readonly NetworkRecord[],
  records: readonly ContainerRecord[],
): readonly NetworkNames[] {
  return networks.flatMap((network): readonly NetworkNames[] => {
    if (network.kind !== 'bridge' || isPredefined(network.name)) return [];
    const { id, name, gateway, subnet, internal } = network;
    const linked = linkedNames(id, records);
    const endpoints = records.flatMap((record): readonly NamedEndpoint[] => {
      const link = record.links?.find(({ networkId }) => networkId === id);
      if (link === undefined || record.state !== 'running') return [];
      const names = new Set([...endpointNames(record, link), ...(linked.get(record.id) ?? [])]);
      return [{ networkId: id, containerId: record.id, names: [...names], address: link.address }];
    });
    return [{ networkId: id, networkName: name, gateway, subnet, endpoints, internal }];
  });
}

/** A container's names on a user-defined network, the first being what its address is called (moby, DNSNames). */
export function endpointNames(
  record: Pick<ContainerRecord, 'id' | 'config'>,
  network: Pick<NetworkLink, 'networkId' | 'networkName'>,
): readonly string[] {
  const { id, config } = record;
  const aliases = config.endpoints.find((endpoint) => isEndpointOf(endpoint, network))?.aliases ?? [];
  const hostname = config.hostname === '' ? [] : [config.hostname];
  return [...new Set([config.name, ...aliases, id.slice(0, 12), ...hostname])];
}

/** `CONTAINER:NAME` of the links on a network, by the linked container's id. */
function linkedNames(networkId: string, records: readonly ContainerRecord[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { config } of records) {
    for (const endpoint of config.endpoints) {
      if (endpoint.network !== networkId) continue;
      for (const link of endpoint.links) {
        const [reference = '', name = reference] = link.split(':');
        const target = records.find((one) => one.config.name === reference || one.id.startsWith(reference));
        if (target !== undefined && name !== '') names.set(target.id, [...(names.get(target.id) ?? []), name]);
      }
    }
  }
  return names;
}
