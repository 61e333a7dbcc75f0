import { BerthError } from '#shared/errors.ts';
import type { PublishedPort } from '#shared/model/service.ts';
import { parseIpv4, formatIpv4, type Subnet } from './ipv4.ts';
import type { Endpoint } from './network.ts';
import { formatSubnet } from './subnet.ts';

/** Names of what a data root has in its network namespace. */
export interface InstanceNames {
  /** At most 15 characters, the kernel's limit for a link. */
  readonly bridge: string;
  /** The nftables table, family `ip`. */
  readonly table: string;
}

/** The names of a data root's bridge and table, from its `instanceId`. */
export function instanceNames(instance: string): InstanceNames {
  if (!/^[0-9a-z]{1,12}$/.test(instance)) {
    throw new BerthError('internal', 'network.instance-invalid', `network: "${instance}" is not an instance id`);
  }
  return { bridge: `br-${instance}`, table: `berth-${instance}` };
}

/** The host end of a container's veth pair: unique, because ids are, and 14 of the 15 characters that a link has. */
export function hostLinkName(containerId: string): string {
  if (!/^[0-9a-f]{64}$/.test(containerId)) {
    throw new BerthError('internal', 'container.id-invalid', `network: "${containerId}" is not a container id`);
  }
  return `bv${containerId.slice(0, 12)}`;
}

/** One host port and all containers' ports that answer at it. */
interface Published {
  readonly protocol: PublishedPort['protocol'];
  readonly hostPort: number;
  readonly targets: readonly string[]; // `address . port`, sorted, each once
}

/**
 * The complete nftables table of a data root as one line, which `nft` performs as one transaction: whatever the table
 * held before, it then holds exactly this. Everything in the text is made here from numbers and checked names.
 *
 * Order matters in two places: the drop for forged loopback addresses stands before connection tracking has put any
 * real one back, and the output hook is at -100, where nft 1.0 accepts a dnat.
 */
export function tableScript(instance: string, subnet: Subnet, endpoints: readonly Endpoint[]): string {
  const { bridge, table } = instanceNames(instance);
  const published = publishedPorts(endpoints);
  const statements = [
    ...portStatements(published),
    ...natChains(bridge, formatSubnet(subnet)),
    ...filterChains(bridge),
  ];
  return `add table ip ${table}; delete table ip ${table}; table ip ${table} { ${statements.join(' ')} }`;
}

/** Removes the table whether it is there or not. */
export function removeTableScript(instance: string): string {
  const { table } = instanceNames(instance);
  return `add table ip ${table}; delete table ip ${table}`;
}

/**
 * Changes nothing, and fails when the table is not there. To add a chain that exists costs 0.3 ms; any listing would read
 * every element of the maps (40 ms for 5,000 ports).
 */
export function probeTableScript(instance: string): string {
  return `add chain ip ${instanceNames(instance).table} published`;
}

function publishedPorts(endpoints: readonly Endpoint[]): readonly Published[] {
  const targetsOf = new Map<string, { protocol: PublishedPort['protocol']; hostPort: number; targets: Set<string> }>();
  for (const endpoint of endpoints) {
    const address = parseIpv4(endpoint.address);
    if (address === undefined) {
      throw new BerthError('internal', 'network.address-invalid', `network: "${endpoint.address}" is not an address`);
    }
    for (const port of endpoint.ports) {
      const key = `${protocolName(port.protocol)} ${portNumber(port.hostPort)}`;
      const entry = targetsOf.get(key) ?? { ...port, targets: new Set<string>() };
      entry.targets.add(`${formatIpv4(address)} . ${portNumber(port.containerPort)}`);
      targetsOf.set(key, entry);
    }
  }
  return [...targetsOf.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entry]) => ({ ...entry, targets: [...entry.targets].toSorted() }));
}

/** A port with one target is an element of a map; one with several has a chain that picks one at random. */
function portStatements(published: readonly Published[]): readonly string[] {
  const single: string[] = [];
  const balanced: string[] = [];
  const chains: string[] = [];
  for (const { protocol, hostPort, targets } of published) {
    const [first, ...others] = targets;
    if (others.length === 0) {
      single.push(`${protocol} . ${hostPort} : ${first}`);
      continue;
    }
    const choices = targets.map((target, index) => `${index} : ${target}`).join(', ');
    const chain = `to-${protocol}-${hostPort}`;
    chains.push(
      `chain ${chain} { meta l4proto ${protocol} dnat ip addr . port to numgen random mod ${targets.length} map { ${choices} }; };`,
    );
    balanced.push(`${protocol} . ${hostPort} : goto ${chain}`);
  }
  return [
    `map single { type inet_proto . inet_service : ipv4_addr . inet_service; ${elements(single)}};`,
    ...chains,
    `map balanced { type inet_proto . inet_service : verdict; ${elements(balanced)}};`,
    'chain published {',
    'dnat ip addr . port to meta l4proto . th dport map @single;',
    'meta l4proto . th dport vmap @balanced;',
    '};',
  ];
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }; `; // nft refuses an empty list
}

function natChains(bridge: string, subnet: string): readonly string[] {
  return [
    'chain prerouting { type nat hook prerouting priority -100; policy accept;',
    'fib daddr type local jump published; };',
    'chain output { type nat hook output priority -100; policy accept;',
    'fib daddr type local jump published; };',
    'chain postrouting { type nat hook postrouting priority 100; policy accept;',
    // Out to the world under the host's address.
    `ip saddr ${subnet} oifname != "${bridge}" masquerade;`,
    // From one container to another, or itself, through a published port: the answer must come back by us.
    `ip saddr ${subnet} oifname "${bridge}" ct status dnat masquerade;`,
    // From the host's own 127.0.0.1 through a published port: a container cannot answer to that address.
    `ip saddr 127.0.0.0/8 oifname "${bridge}" masquerade; };`,
  ];
}

function filterChains(bridge: string): readonly string[] {
  return [
    // route_localnet makes the bridge accept loopback addresses: none that a container forged may come in by it.
    'chain forged { type filter hook prerouting priority -300; policy accept;',
    `iifname "${bridge}" ip daddr 127.0.0.0/8 drop;`,
    `iifname "${bridge}" ip saddr 127.0.0.0/8 drop; };`,
    'chain forward { type filter hook forward priority 0; policy accept;',
    `oifname != "${bridge}" accept;`,
    'ct state established,related accept;',
    `iifname "${bridge}" accept;`,
    'ct status dnat accept;',
    // From outside straight to a container's address: only published ports are open.
    'drop; };',
  ];
}

function protocolName(protocol: PublishedPort['protocol']): string {
  switch (protocol) {
    case 'tcp':
      return 'tcp';
    case 'udp':
      return 'udp';
    default:
      throw invalidPort(protocol satisfies never);
  }
}

function portNumber(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalidPort(port);
  return port;
}

function invalidPort(value: unknown): BerthError {
  return new BerthError('internal', 'network.port-invalid', `network: ${String(value)} is not a port or protocol`);
}
