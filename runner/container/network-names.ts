import type { ContainerDns, NamedEndpoint, NetworkNames } from '../network/name-table.ts';
import { isNdots } from '../network/names/resolv-conf.ts';
import { isPredefined, type NetworkRecord } from '../network/network-record.ts';
import type { NetworkLink } from '../network/network.ts';
import type { ContainerRecord } from './engine.ts';
import { isEndpointOf } from './links.ts';

/**
 * What containers are called on each user-defined network, for its resolver. On the default network nobody has a
 * name; where containers do not reach the host's resolvers, questions are passed on there.
 * A container that is about to start has them already, so that it can be asked for, and ask, from its first moment.
 */
export function networkNames(
  networks: readonly NetworkRecord[],
  records: readonly ContainerRecord[],
  options: { readonly forwardsOnDefault: boolean },
): readonly NetworkNames[] {
  return networks.flatMap((network): readonly NetworkNames[] => {
    if (network.kind !== 'bridge') return [];
    const isDefault = isPredefined(network.name);
    if (isDefault && !options.forwardsOnDefault) return [];
    const { id, name, gateway, subnet, internal } = network;
    const present = records.flatMap((record) => {
      const link = record.links?.find(({ networkId }) => networkId === id);
      const runs = record.state === 'running' || record.state === 'starting';
      return link === undefined || !runs ? [] : [{ record, link }];
    });
    const own = present.map(({ record, link }): NamedEndpoint => ({
      networkId: id,
      containerId: record.id,
      names: isDefault ? [] : endpointNames(record, link),
      address: link.address,
      dns: ownDns(record.config),
    }));
    const endpoints = [...own, ...linkedEndpoints(id, present)];
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

function ownDns({ dns, dnsOptions }: ContainerRecord['config']): ContainerDns | undefined {
  if (dns.length === 0 && dnsOptions.length === 0) return undefined;
  return { servers: dns, hasDots: dnsOptions.some(isNdots) };
}

interface Present {
  readonly record: ContainerRecord;
  readonly link: NetworkLink;
}

/** `CONTAINER:NAME` of the links on a network: names that the linking container alone knows. */
function linkedEndpoints(networkId: string, present: readonly Present[]): readonly NamedEndpoint[] {
  return present.flatMap(({ record, link }) => {
    const links = record.config.endpoints.find((endpoint) => isEndpointOf(endpoint, link))?.links ?? [];
    return links.flatMap((text): readonly NamedEndpoint[] => {
      const [reference = '', name = reference] = text.split(':');
      const target = present.find((one) => one.record.config.name === reference || one.record.id.startsWith(reference));
      if (target === undefined || name === '') return [];
      const { address } = target.link;
      return [{ networkId, containerId: target.record.id, names: [name], address, onlyFor: record.id }];
    });
  });
}
