import type { StatementSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import { contains, parsePrefix } from './ipam.ts';
import { formatIpv4, hostRange, macAddressOf, parseIpv4, type Subnet } from './ipv4.ts';
import type { RunnerDatabase } from '../runner-database.ts';

/** What addresses of a network are leased. */
export interface LeasePool {
  readonly networkId: string;
  readonly networkName: string;
  readonly subnet: Subnet;
  readonly gateway: number;
  /** Only addresses in here are chosen; a requested one may lie outside of it. */
  readonly range: Subnet;
  readonly reserved: ReadonlySet<number>;
}

/** What a container wants of a network. */
export interface LeaseRequest {
  readonly ipv4Address?: string | undefined;
  readonly macAddress?: string | undefined;
}

export interface Lease {
  readonly networkId: string;
  readonly containerId: string;
  readonly address: number;
  readonly macAddress: string;
  /** The link's name in the container: `eth0` … */
  readonly interfaceName: string;
}

/**
 * The addresses of the networks, leased to containers in runner.db. An address that was given back is the last to be
 * given again, so that no connection of a container that has gone meets a new one.
 *
 * Leases are written and taken back deferred: no link outlasts a loss of power, and the lease of a container that does not
 * run is taken back when a runner starts.
 */
export class AddressLeases {
  readonly #database: RunnerDatabase;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #find: StatementSync;
  readonly #ofContainer: StatementSync;
  readonly #ofNetwork: StatementSync;
  readonly #cursors = new Map<string, number>();

  constructor(database: RunnerDatabase) {
    this.#database = database;
    this.#insert = database.prepare(
      'insert into network_leases (network_id, container_id, address, mac, interface) values (?, ?, ?, ?, ?)',
    );
    this.#delete = database.prepare('delete from network_leases where network_id = ? and container_id = ?');
    this.#find = database.prepare('select * from network_leases where network_id = ? and container_id = ?');
    this.#ofContainer = database.prepare('select * from network_leases where container_id = ?');
    this.#ofNetwork = database.prepare('select * from network_leases where network_id = ?');
  }

  /**
   * The container's address on a network, leased now unless it already was.
   *
   * @throws BerthError `network.addresses-exhausted`, `network.address-taken`, `network.address-invalid`
   */
  lease(pool: LeasePool, containerId: string, request: LeaseRequest = {}): Lease {
    const held = this.find(pool.networkId, containerId);
    if (held !== undefined) return held;
    const address = request.ipv4Address === undefined ? this.#free(pool) : this.#asked(pool, request.ipv4Address);
    const macAddress = request.macAddress ?? macAddressOf(address);
    const interfaceName = this.#freeInterface(containerId);
    this.#database.defer(() => this.#insert.run(pool.networkId, containerId, address, macAddress, interfaceName));
    if (request.ipv4Address === undefined) this.#cursors.set(pool.networkId, address + 1);
    return { networkId: pool.networkId, containerId, address, macAddress, interfaceName };
  }

  find(networkId: string, containerId: string): Lease | undefined {
    const row = this.#find.get(networkId, containerId);
    return row && toLease(row);
  }

  /** By the name of the interface. */
  ofContainer(containerId: string): readonly Lease[] {
    return this.#ofContainer
      .all(containerId)
      .map(toLease)
      .toSorted((a, b) => interfaceNumber(a) - interfaceNumber(b));
  }

  ofNetwork(networkId: string): readonly Lease[] {
    return this.#ofNetwork.all(networkId).map(toLease);
  }

  release(networkId: string, containerId: string): void {
    this.#database.defer(() => this.#delete.run(networkId, containerId));
  }

  #asked(pool: LeasePool, text: string): number {
    const address = parseIpv4(text);
    if (address === undefined || !contains(pool.subnet, address)) {
      throw new BerthError(
        'invalid',
        'network.address-invalid',
        `invalid address ${text.slice(0, 40)}: It does not belong to any of this network's subnets`,
      );
    }
    const { first, last } = hostRange(pool.subnet);
    const unusable = address < first - 1 || address > last || address === pool.gateway || pool.reserved.has(address);
    if (unusable || this.#taken(pool.networkId).has(address)) {
      throw new BerthError('forbidden', 'network.address-taken', 'Address already in use');
    }
    return address;
  }

  #taken(networkId: string): ReadonlySet<number> {
    return new Set(this.ofNetwork(networkId).map(({ address }) => address));
  }

  /** The first free address from the cursor on, then from the start. */
  #free(pool: LeasePool): number {
    const bounds = hostRange(pool.subnet);
    // Where a range was asked for, or the gateway is another than the first, its first address is free to be leased.
    const first = Math.max(pool.range.base, pool.gateway === bounds.first - 1 ? bounds.first : bounds.first - 1);
    const last = Math.min(pool.range.base + 2 ** (32 - pool.range.prefixLength) - 1, bounds.last);
    const taken = this.#taken(pool.networkId);
    const isFree = (address: number): boolean =>
      address !== pool.gateway && !pool.reserved.has(address) && !taken.has(address);
    const count = last - first + 1;
    const cursor = this.#cursors.get(pool.networkId) ?? Math.max(first, Math.max(0, ...taken) + 1);
    const start = cursor > last || cursor < first ? first : cursor;
    for (let step = 0; step < count; step += 1) {
      const address = first + ((start - first + step) % count);
      if (isFree(address)) return address;
    }
    throw new BerthError(
      'conflict',
      'network.addresses-exhausted',
      `no available IPv4 addresses on this network's address pools: ${pool.networkName} (${pool.networkId})`,
      { remedy: `All addresses of ${formatPool(pool)} are leased: remove containers that are no longer needed.` },
    );
  }

  #freeInterface(containerId: string): string {
    const names = new Set(this.ofContainer(containerId).map(({ interfaceName }) => interfaceName));
    for (let number = 0; ; number += 1) if (!names.has(`eth${number}`)) return `eth${number}`;
  }
}

/** A network's addresses from its record's texts. */
export function leasePool(network: {
  readonly id: string;
  readonly name: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly ipRange?: string | undefined;
  readonly reserved: readonly string[];
}): LeasePool {
  const subnet = parsePrefix(network.subnet);
  const gateway = parseIpv4(network.gateway);
  if (subnet === undefined || gateway === undefined) {
    throw new BerthError(
      'internal',
      'network.subnet-invalid',
      `network ${network.name} has the subnet "${network.subnet}"`,
    );
  }
  const range = network.ipRange === undefined ? undefined : parsePrefix(network.ipRange);
  const reserved = new Set(network.reserved.map((text) => parseIpv4(text) ?? 0));
  return { networkId: network.id, networkName: network.name, subnet, gateway, range: range ?? subnet, reserved };
}

function formatPool({ range }: LeasePool): string {
  return `${formatIpv4(range.base)}/${range.prefixLength}`;
}

function interfaceNumber({ interfaceName }: Lease): number {
  return Number(interfaceName.slice('eth'.length));
}

function toLease(row: Record<string, unknown>): Lease {
  const address = Number(row['address']);
  return {
    networkId: String(row['network_id']),
    containerId: String(row['container_id']),
    address,
    macAddress: String(row['mac']) || macAddressOf(address),
    interfaceName: String(row['interface']),
  };
}
