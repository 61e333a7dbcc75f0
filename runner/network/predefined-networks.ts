import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import { hostRoutes } from './host-links.ts';
import { formatIpv4, gatewayOf, type Subnet } from './ipv4.ts';
import { DEFAULT_NETWORK, type BridgeNetworkRecord, type PlainNetworkRecord } from './network-record.ts';
import { instanceNames } from './rules.ts';
import { chooseSubnet, formatSubnet, parseSubnet } from './subnet.ts';

/** The subnet is chosen once in a data root's life: addresses are leased from it. */
export async function storedSubnet(database: DatabaseSync): Promise<Subnet> {
  const row = database.prepare("select value from meta where key = 'subnet'").get();
  if (row !== undefined) {
    const text = String(row['value']);
    const subnet = parseSubnet(text);
    if (subnet !== undefined) return subnet;
    throw new BerthError('internal', 'network.subnet-invalid', `network: runner.db has the subnet "${text}"`);
  }
  const subnet = chooseSubnet(await hostRoutes());
  database.prepare("insert into meta (key, value) values ('subnet', ?)").run(formatSubnet(subnet));
  return subnet;
}

/** What the engine's own networks are called by: the same after each start. */
function predefinedId(name: string, instance: string): string {
  return createHash('sha256').update(`${name} ${instance}`).digest('hex');
}

export function defaultNetwork(instance: string, subnet: Subnet): BridgeNetworkRecord {
  const { bridge } = instanceNames(instance);
  return {
    kind: 'bridge',
    id: predefinedId(DEFAULT_NETWORK, instance),
    name: DEFAULT_NETWORK,
    createdAtMs: 0,
    labels: {},
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      'com.docker.network.bridge.name': bridge,
    },
    internal: false,
    attachable: false,
    ipam: { options: null, config: [] },
    bridge,
    isConnected: true,
    masquerades: true,
    hostAddress: '0.0.0.0',
    subnet: formatSubnet(subnet),
    gateway: formatIpv4(gatewayOf(subnet)),
    reserved: [],
  };
}

/** Those without a bridge: the host's own network, and none. */
export function plainNetworks(instance: string): readonly PlainNetworkRecord[] {
  return (['host', 'none'] as const).map((name) => ({
    kind: name,
    name,
    id: predefinedId(name, instance),
  }));
}
