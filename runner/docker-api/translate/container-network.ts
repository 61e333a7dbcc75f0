import type { ContainerRecord } from '../../container/engine.ts';
import { macAddressOf, parseIpv4 } from '../../network/ipv4.ts';

/** The one network that containers are on, as the API shows it. */
export interface NetworkView {
  /** 64 hex digits. */
  readonly id: string;
  readonly bridge: string;
  readonly gateway: string;
  /** `10.88.0.0/16` */
  readonly subnet: string;
}

export function prefixLengthOf(network: NetworkView): number {
  return Number(network.subnet.split('/')[1] ?? 0);
}

/** EndpointSettings of a container on the bridge; its addresses are empty while it does not run. */
export function endpointSettings(record: ContainerRecord, network: NetworkView): Readonly<Record<string, unknown>> {
  const { address } = record;
  const mac = address === undefined ? undefined : parseIpv4(address);
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: mac === undefined ? '' : macAddressOf(mac),
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: network.id,
    EndpointID: address === undefined ? '' : record.id,
    Gateway: address === undefined ? '' : network.gateway,
    IPAddress: address ?? '',
    IPPrefixLen: address === undefined ? 0 : prefixLengthOf(network),
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}
