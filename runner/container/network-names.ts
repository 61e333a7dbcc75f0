import type { NamedEndpoint, NetworkNames } from '../network/name-table.ts';
import { isPredefined, type NetworkRecord } from '../network/network-record.ts';
import type { NetworkLink } from '../network/network.ts';
import type { ContainerRecord } from './engine.ts';
import { isEndpointOf } from './links.ts';

/**
 * What containers are called on each user-defined network, for its resolver. On the default network nobody has a name.
 */
export function networkNames(
  networks: readonly NetworkRecord[],
  records: readonly ContainerRecord[],
): readonly NetworkNames[] {
  return networks.flatMap((network): readonly NetworkNames[] => {
    if (network.kind !== 'bridge' || isPredefined(network.name)) return [];
    const { id, name, gateway, subnet, internal } = network;
    const on = records.flatMap((record) => {
      const link = record.links?.find(({ networkId }) => networkId === id);
      return link === undefined || record.state !== 'running' ? [] : [{ record, link }];
    });
    const endpoints = on.flatMap(({ record, link }): readonly NamedEndpoint[] => [
      { networkId: id, containerId: record.id, names: endpointNames(record, link), address: link.address },
      ...linkedNames(record, link, on),
    ]);
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

interface Member {
  readonly record: ContainerRecord;
  readonly link: NetworkLink;
}

/** `CONTAINER:NAME` of a container's links on a network: names that it alone knows. */
function linkedNames(
  { id, config }: ContainerRecord,
  link: NetworkLink,
  members: readonly Member[],
): readonly NamedEndpoint[] {
  const endpoint = config.endpoints.find((one) => isEndpointOf(one, link));
  return (endpoint?.links ?? []).flatMap((text) => {
    const [reference = '', name = reference] = text.split(':');
    const target = members.find(
      ({ record }) => record.config.name === reference || (reference.length > 2 && record.id.startsWith(reference)),
    );
    if (target === undefined || name === '') return [];
    const { networkId, address } = target.link;
    return [{ networkId, containerId: target.record.id, names: [name], address, onlyFor: id }];
  });
}
