import type { NetworkNames } from '../name-table.ts';
import { formatIpv4, parseIpv4, subnetSize, type Subnet } from '../ipv4.ts';
import { parseSubnet } from '../subnet.ts';

/** What one asker may know: the names of every network that it is on, and whether the world's. */
export interface NameView {
  /** Absent for an address of the network at which no container is known (yet). */
  readonly containerId: string | undefined;
  /** False when each of its networks is internal. */
  readonly reachesOutside: boolean;
  /** The addresses of a name, undefined when nobody has it. */
  addresses(name: string): readonly string[] | undefined;
  /** The name at an address (`web.shop`), undefined when no container of these networks has it. */
  nameAt(address: string): string | undefined;
}

interface IndexedNetwork {
  readonly network: NetworkNames;
  readonly subnet: Subnet | undefined;
  readonly addressesOf: ReadonlyMap<string, readonly string[]>;
  /** By the container that knows them. */
  readonly linksOf: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  readonly nameOf: ReadonlyMap<string, string>;
  readonly containerAt: ReadonlyMap<string, string>;
}

/** Names and addresses of all networks, as one set; a new one is made at each change. */
export class NameIndex {
  readonly #networks: ReadonlyMap<string, IndexedNetwork>;
  readonly #networksOf = new Map<string, IndexedNetwork[]>();

  constructor(networks: readonly NetworkNames[]) {
    this.#networks = new Map(networks.map((network) => [network.networkId, indexed(network)]));
    for (const one of this.#networks.values()) {
      for (const containerId of new Set(one.network.endpoints.map((endpoint) => endpoint.containerId))) {
        this.#networksOf.set(containerId, [...(this.#networksOf.get(containerId) ?? []), one]);
      }
    }
  }

  /** What a question that came to a network's gateway from this address is answered from; undefined for a stranger. */
  viewOf(networkId: string, source: string): NameView | undefined {
    const asked = this.#networks.get(networkId);
    if (asked === undefined || !contains(asked.subnet, source)) return undefined;
    const containerId = asked.containerAt.get(source);
    const others = containerId === undefined ? [] : (this.#networksOf.get(containerId) ?? []);
    // The network that was asked at goes first: where two networks have a name, the near one is meant.
    const networks = [asked, ...others.filter((one) => one !== asked)];
    return {
      containerId,
      reachesOutside: networks.some(({ network }) => !network.internal),
      addresses: (name) =>
        firstOf(networks, (one) => (containerId === undefined ? undefined : one.linksOf.get(containerId)?.get(name))) ??
        firstOf(networks, (one) => addressesIn(one, name)),
      nameAt: (address) => firstOf(networks, (one) => one.nameOf.get(address)),
    };
  }
}

function firstOf<Value>(
  networks: readonly IndexedNetwork[],
  find: (network: IndexedNetwork) => Value | undefined,
): Value | undefined {
  for (const network of networks) {
    const found = find(network);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Also by the network's name behind it (`web.shop`), as PTR tells it. */
function addressesIn({ network, addressesOf }: IndexedNetwork, name: string): readonly string[] | undefined {
  const suffix = `.${network.networkName.toLowerCase()}`;
  return addressesOf.get(name) ?? (name.endsWith(suffix) ? addressesOf.get(name.slice(0, -suffix.length)) : undefined);
}

function indexed(network: NetworkNames): IndexedNetwork {
  const addressesOf = new Map<string, string[]>();
  const linksOf = new Map<string, Map<string, string[]>>();
  const nameOf = new Map<string, string>();
  const containerAt = new Map<string, string>();
  for (const { names, address, containerId, onlyFor } of network.endpoints) {
    containerAt.set(address, containerId);
    const links = onlyFor === undefined ? undefined : (linksOf.get(onlyFor) ?? new Map<string, string[]>());
    if (onlyFor !== undefined && links !== undefined) linksOf.set(onlyFor, links);
    const [first] = names;
    if (links === undefined && first !== undefined) nameOf.set(address, `${first}.${network.networkName}`);
    addNames(links ?? addressesOf, names, address);
  }
  return { network, subnet: parseSubnet(network.subnet), addressesOf, linksOf, nameOf, containerAt };
}

function addNames(table: Map<string, string[]>, names: readonly string[], address: string): void {
  for (const name of new Set(names.map((one) => one.toLowerCase()))) {
    const known = table.get(name) ?? [];
    if (!known.includes(address)) table.set(name, [...known, address]);
  }
}

function contains(subnet: Subnet | undefined, address: string): boolean {
  const number = parseIpv4(address);
  if (subnet === undefined || number === undefined) return false;
  return number >= subnet.base && number < subnet.base + subnetSize(subnet);
}

/** The address that `4.3.2.1.in-addr.arpa` asks for (RFC 1035 section 3.5), or undefined. */
export function reverseAddress(name: string): string | undefined {
  const suffix = '.in-addr.arpa';
  if (!name.endsWith(suffix)) return undefined;
  const address = parseIpv4(name.slice(0, -suffix.length).split('.').toReversed().join('.'));
  return address === undefined ? undefined : formatIpv4(address);
}
