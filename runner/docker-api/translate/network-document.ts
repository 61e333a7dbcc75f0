import type { ContainerRecord } from '../../container/engine.ts';
import type { NetworkLink } from '../../network/network.ts';
import type { NetworkRecord } from '../../network/network-record.ts';
import { apiTime } from './container-status.ts';
import { combinedId } from '../../network/combined-id.ts';

type Document = Readonly<Record<string, unknown>>;

/** Network of the Docker Engine API; its containers are told by an inspection alone. */
export function networkDocument(network: NetworkRecord, records: readonly ContainerRecord[]): Document {
  const isBridge = network.kind === 'bridge';
  return {
    Name: network.name,
    Id: network.id,
    Created: apiTime(isBridge && network.createdAtMs > 0 ? network.createdAtMs : undefined),
    Scope: 'local',
    Driver: driverOf(network),
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: ipamDocument(network),
    Internal: isBridge && network.internal,
    Attachable: isBridge && network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(records.flatMap((record) => containerEntry(record, network))),
    Options: isBridge ? network.options : {},
    Labels: isBridge ? network.labels : {},
  };
}

/** As `docker network ls` has it. */
export function driverOf({ kind }: NetworkRecord): string {
  return kind === 'none' ? 'null' : kind;
}

function ipamDocument(network: NetworkRecord): Document {
  if (network.kind !== 'bridge') return { Driver: 'default', Options: null, Config: null };
  const asked = network.ipam.config.map(({ subnet, ipRange, gateway, auxiliaryAddresses }) => ({
    Subnet: subnet,
    ...(ipRange === undefined ? {} : { IPRange: ipRange }),
    ...(gateway === undefined ? {} : { Gateway: gateway }),
    ...(auxiliaryAddresses === undefined ? {} : { AuxiliaryAddresses: auxiliaryAddresses }),
  }));
  const chosen = [{ Subnet: network.subnet, Gateway: network.gateway }];
  return { Driver: 'default', Options: network.ipam.options, Config: asked.length > 0 ? asked : chosen };
}

function containerEntry(record: ContainerRecord, network: NetworkRecord): readonly (readonly [string, Document])[] {
  if (record.state !== 'running') return [];
  const link: NetworkLink | undefined = record.links?.find(({ networkId }) => networkId === network.id);
  const isPlain = network.kind !== 'bridge' && record.config.endpoints.some((one) => one.network === network.kind);
  if (link === undefined && !isPlain) return [];
  const entry = {
    Name: record.config.name,
    EndpointID: combinedId(record.id, network.id),
    MacAddress: link?.macAddress ?? '',
    IPv4Address: link === undefined ? '' : `${link.address}/${link.prefixLength}`,
    IPv6Address: '',
  };
  return [[record.id, entry]];
}
