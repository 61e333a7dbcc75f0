import { BerthError } from '#shared/errors.ts';
import type { PublishedPort } from '#shared/model/service.ts';
import { combinedId } from './combined-id.ts';
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

/**
 * The host end of a container's veth pair: unique, because ids are, and 14 of the 15 characters that a link has.
 *
 * @param networkId of a network that is not the default one
 */
export function hostLinkName(containerId: string, networkId?: string): string {
  if (!/^[0-9a-f]{64}$/.test(containerId)) {
    throw new BerthError('internal', 'container.id-invalid', `network: "${containerId}" is not a container id`);
  }
  if (networkId === undefined) return `bv${containerId.slice(0, 12)}`;
  return `bv${combinedId(containerId, networkId).slice(0, 12)}`;
}

/** What the rules say of one network. */
export interface RuledNetwork {
  readonly bridge: string;
  readonly subnet: Subnet;
  /** Neither a way out nor one in. */
  readonly internal: boolean;
  /** Its containers reach each other; where not, their links are isolated ports of the bridge. */
  readonly isConnected: boolean;
  /** What leaves does so under the host's address. */
  readonly masquerades: boolean;
}

/** One host port and all containers' ports that answer at it. */
interface Published {
  readonly protocol: PublishedPort['protocol'];
  /** Undefined: every address of the host. */
  readonly hostAddress: string | undefined;
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
export function tableScript(
  instance: string,
  networks: readonly RuledNetwork[],
  endpoints: readonly Endpoint[],
): string {
  const { table } = instanceNames(instance);
  const statements = [...portStatements(publishedPorts(endpoints)), ...natChains(networks), ...filterChains(networks)];
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
  const targetsOf = new Map<string, Omit<Published, 'targets'> & { readonly targets: Set<string> }>();
  for (const endpoint of endpoints) {
    const address = checkedAddress(endpoint.address);
    for (const { protocol, hostPort, containerPort, hostAddress } of endpoint.ports) {
      const at = hostAddress === undefined || hostAddress === '0.0.0.0' ? undefined : checkedAddress(hostAddress);
      const key = `${at ?? ''} ${protocolName(protocol)} ${portNumber(hostPort)}`;
      const entry = targetsOf.get(key) ?? { protocol, hostPort, hostAddress: at, targets: new Set<string>() };
      entry.targets.add(`${address} . ${portNumber(containerPort)}`);
      targetsOf.set(key, entry);
    }
  }
  return [...targetsOf.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entry]) => ({ ...entry, targets: [...entry.targets].toSorted() }));
}

/** A port with one target is an element of a map; one with several has a chain that picks one at random. */
function portStatements(published: readonly Published[]): readonly string[] {
  const elementsOf = { single: [], balanced: [], singleat: [], balancedat: [] } as Record<string, string[]>;
  const chains: string[] = [];
  for (const { protocol, hostAddress, hostPort, targets } of published) {
    const suffix = hostAddress === undefined ? '' : 'at';
    const key = `${hostAddress === undefined ? '' : `${hostAddress} . `}${protocol} . ${hostPort}`;
    const [first, ...others] = targets;
    if (others.length === 0) {
      elementsOf[`single${suffix}`]?.push(`${key} : ${first}`);
      continue;
    }
    const choices = targets.map((target, index) => `${index} : ${target}`).join(', ');
    const where = hostAddress === undefined ? '' : `-${hostAddress.replaceAll('.', '-')}`;
    const chain = `to-${protocol}-${hostPort}${where}`;
    chains.push(
      `chain ${chain} { meta l4proto ${protocol} dnat ip addr . port to numgen random mod ${targets.length} map { ${choices} }; };`,
    );
    elementsOf[`balanced${suffix}`]?.push(`${key} : goto ${chain}`);
  }
  const { single = [], balanced = [], singleat = [], balancedat = [] } = elementsOf;
  const key = 'inet_proto . inet_service';
  return [
    `map single { type ${key} : ipv4_addr . inet_service; ${elements(single)}};`,
    `map singleat { type ipv4_addr . ${key} : ipv4_addr . inet_service; ${elements(singleat)}};`,
    ...chains,
    `map balanced { type ${key} : verdict; ${elements(balanced)}};`,
    `map balancedat { type ipv4_addr . ${key} : verdict; ${elements(balancedat)}};`,
    'chain published {',
    'dnat ip addr . port to ip daddr . meta l4proto . th dport map @singleat;',
    'ip daddr . meta l4proto . th dport vmap @balancedat;',
    'dnat ip addr . port to meta l4proto . th dport map @single;',
    'meta l4proto . th dport vmap @balanced;',
    '};',
  ];
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }; `; // nft refuses an empty list
}

function natChains(networks: readonly RuledNetwork[]): readonly string[] {
  return [
    'chain prerouting { type nat hook prerouting priority -100; policy accept;',
    'fib daddr type local jump published; };',
    'chain output { type nat hook output priority -100; policy accept;',
    'fib daddr type local jump published; };',
    'chain postrouting { type nat hook postrouting priority 100; policy accept;',
    ...networks.flatMap(({ bridge, subnet, internal, masquerades }) => {
      const from = `ip saddr ${formatSubnet(subnet)}`;
      return [
        // Out to the world, or to a published port of another network, under the host's address.
        ...(masquerades && !internal ? [`${from} oifname != ${linkName(bridge)} masquerade;`] : []),
        // From one container to another, or itself, through a published port: the answer must come back by us.
        `${from} oifname ${linkName(bridge)} ct status dnat masquerade;`,
        // From the host's own 127.0.0.1 through a published port: a container cannot answer to that address.
        `ip saddr 127.0.0.0/8 oifname ${linkName(bridge)} masquerade;`,
      ];
    }),
    '};',
  ];
}

function filterChains(networks: readonly RuledNetwork[]): readonly string[] {
  const bridges = `{ ${networks.map(({ bridge }) => linkName(bridge)).join(', ')} }`;
  return [
    // route_localnet makes a bridge accept loopback addresses: none that a container forged may come in by it.
    'chain forged { type filter hook prerouting priority -300; policy accept;',
    `iifname ${bridges} ip daddr 127.0.0.0/8 drop;`,
    `iifname ${bridges} ip saddr 127.0.0.0/8 drop; };`,
    'chain forward { type filter hook forward priority 0; policy accept;',
    `iifname != ${bridges} oifname != ${bridges} accept;`,
    'ct state established,related accept;',
    ...networks.flatMap(withinNetwork),
    ...networks.filter(({ internal }) => internal).flatMap(({ bridge }) => closedOff(linkName(bridge))),
    // From network to network only through published ports; and so from outside: a container's address itself is closed.
    `oifname ${bridges} ct status dnat accept;`,
    `oifname ${bridges} drop;`,
    'accept; };',
  ];
}

/** What comes back in by a published port; and where the kernel shows bridged frames to netfilter, these. */
function withinNetwork({ bridge, isConnected }: RuledNetwork): readonly string[] {
  const within = `iifname ${linkName(bridge)} oifname ${linkName(bridge)}`;
  return isConnected ? [`${within} accept;`] : [`${within} ct status dnat accept;`, `${within} drop;`];
}

function closedOff(bridge: string): readonly string[] {
  return [`iifname ${bridge} drop;`, `oifname ${bridge} drop;`];
}

/** A link's name in quotes; nothing but a plain one gets into the text. */
function linkName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/.test(name)) return `"${name}"`;
  throw new BerthError(
    'internal',
    'network.bridge-invalid',
    `network: "${name.slice(0, 40)}" is not a name of a bridge`,
  );
}

function checkedAddress(text: string): string {
  const address = parseIpv4(text);
  if (address !== undefined) return formatIpv4(address);
  throw new BerthError('internal', 'network.address-invalid', `network: "${text}" is not an address`);
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
