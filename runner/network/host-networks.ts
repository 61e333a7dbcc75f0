import { randomBytes } from 'node:crypto';
import { BerthError } from '#shared/errors.ts';
import { makeBridge, removeBridge, type LinkMaker } from './bridge.ts';
import { bridgeSettingsOf } from './bridge-options.ts';
import { framesAreFiltered, hostRoutes, linkNames } from './host-links.ts';
import { parsePrefix, planAddresses } from './ipam.ts';
import { formatIpv4 } from './ipv4.ts';
import { AddressLeases, leasePool, type LeaseRequest } from './leases.ts';
import {
  DEFAULT_NETWORK,
  isPredefined,
  type BridgeNetworkRecord,
  type NetworkRecord,
  type NetworkRequest,
  type PlainNetworkRecord,
} from './network-record.ts';
import type { NetworkStore } from './network-store.ts';
import type { BoundPort, Endpoint, Network, NetworkLink, PortRequest } from './network.ts';
import { PortReservations } from './port-reservations.ts';
import { plainNetworks } from './predefined-networks.ts';
import type { RuleKeeper } from './rule-keeper.ts';
import { hostLinkName, tableScript, type RuledNetwork } from './rules.ts';
import type { RunnerDatabase } from '../runner-database.ts';

export interface HostNetworksOptions {
  readonly database: RunnerDatabase;
  readonly launcher: LinkMaker;
  /** `instanceId` of the data root. */
  readonly instance: string;
  /** Unix milliseconds. */
  readonly clock?: () => number;
}

/*
 * Invariants: a network that `find` answers has its bridge and its rules; the database knows of a bridge before the
 * kernel does, and until the kernel has forgotten it. A network whose removal has begun gives no lease, and one with a
 * lease is not removed: both are decided in one turn.
 */
export class HostNetworks implements Network, Disposable {
  readonly gateway: string;
  readonly subnet: string;
  readonly #default: BridgeNetworkRecord;
  readonly #plain: readonly PlainNetworkRecord[];
  readonly #options: HostNetworksOptions;
  readonly #store: NetworkStore;
  readonly #leases: AddressLeases;
  readonly #reservations: PortReservations;
  readonly #keeper: RuleKeeper;
  #endpoints: readonly Endpoint[] | undefined; // published last

  constructor(options: HostNetworksOptions, fallback: BridgeNetworkRecord, store: NetworkStore, keeper: RuleKeeper) {
    this.gateway = fallback.gateway;
    this.subnet = fallback.subnet;
    this.#default = fallback;
    this.#plain = plainNetworks(options.instance);
    this.#options = options;
    this.#store = store;
    this.#leases = new AddressLeases(options.database);
    this.#reservations = new PortReservations(options.database);
    this.#keeper = keeper;
  }

  list(): readonly NetworkRecord[] {
    const ready = this.#store.list().filter(({ state }) => state === 'ready');
    return [this.#default, ...this.#plain, ...ready.map(({ record }) => record)];
  }

  find(reference: string): NetworkRecord | undefined {
    const all = this.list();
    const exact = all.find(({ id }) => id === reference) ?? all.find(({ name }) => name === reference);
    if (exact !== undefined || reference === '') return exact;
    const matches = all.filter(({ id }) => id.startsWith(reference));
    if (matches.length < 2) return matches[0];
    throw new BerthError(
      'invalid',
      'network.ambiguous',
      `network ${reference} is ambiguous (${matches.length} matches found based on ID prefix)`,
    );
  }

  async create(request: NetworkRequest): Promise<BridgeNetworkRecord> {
    if (isPredefined(request.name)) {
      const text = `operation is not permitted on predefined ${request.name} network `;
      throw new BerthError('forbidden', 'network.predefined', text);
    }
    const id = randomBytes(32).toString('hex');
    const settings = bridgeSettingsOf(request.options, id);
    const [routes, links] = await Promise.all([hostRoutes(), linkNames()]);
    // From here to the insertion nothing else runs: what is chosen is free.
    const others = [this.#default, ...this.#store.list().map(({ record }) => record)];
    checkBridgeName(settings.bridge, others, links);
    const subnets = others.flatMap(({ subnet }) => parsePrefix(subnet) ?? []);
    const plan = planAddresses(request.ipam.config, subnets, routes);
    const createdAtMs = (this.#options.clock ?? Date.now)();
    const record: BridgeNetworkRecord = { kind: 'bridge', id, createdAtMs, ...request, ...settings, ...plan };
    this.#store.insert(record);
    try {
      await makeBridge(this.#options.launcher, record);
      await this.#applyRules();
      this.#store.setState(id, 'ready');
    } catch (error) {
      await removeBridge(this.#options.launcher, this.#store, record);
      throw error;
    }
    return record;
  }

  async remove(id: string): Promise<void> {
    const network = this.find(id);
    if (network === undefined) throw unknownNetwork(id);
    if (network.kind !== 'bridge' || isPredefined(network.name)) {
      const text = `${network.name} is a pre-defined network and cannot be removed`;
      throw new BerthError('forbidden', 'network.predefined', text);
    }
    if (this.containersOf(network.id).length > 0) {
      throw new BerthError('forbidden', 'network.in-use', `network ${network.name} has active endpoints`);
    }
    await removeBridge(this.#options.launcher, this.#store, network);
    await this.#applyRules();
  }

  containersOf(id: string): readonly string[] {
    return this.#leases.ofNetwork(id).map(({ containerId }) => containerId);
  }

  async lease(containerId: string, networkId = DEFAULT_NETWORK, request: LeaseRequest = {}): Promise<NetworkLink> {
    const network = this.find(networkId);
    if (network?.kind !== 'bridge') throw unknownNetwork(networkId);
    const hostName = this.#linkName(containerId, network.id);
    const pool = leasePool(network);
    const lease = this.#leases.lease(pool, containerId, request);
    return {
      networkId: network.id,
      networkName: network.name,
      hasWayOut: !network.internal,
      bridge: network.bridge,
      hostName,
      containerName: lease.interfaceName,
      address: formatIpv4(lease.address),
      prefixLength: pool.subnet.prefixLength,
      gateway: network.gateway,
      macAddress: lease.macAddress,
      ...(network.mtuBytes === undefined ? {} : { mtuBytes: network.mtuBytes }),
      ...(network.isConnected || (await framesAreFiltered()) ? {} : { isolated: true }),
    };
  }

  leased(containerId: string): readonly string[] {
    return this.#leases.ofContainer(containerId).map(({ networkId }) => networkId);
  }

  async leave(containerId: string, networkId: string): Promise<void> {
    if (this.#leases.find(networkId, containerId) === undefined) return; // none is made without a lease
    // The link first: an address is free only when nothing answers at it.
    await this.#options.launcher.removeLink(this.#linkName(containerId, networkId));
    this.#leases.release(networkId, containerId);
  }

  async release(containerId: string): Promise<void> {
    for (const networkId of this.leased(containerId)) await this.leave(containerId, networkId);
    this.#reservations.release(containerId);
  }

  reserve(containerId: string, publishGroup: string, ports: readonly PortRequest[]): Promise<readonly BoundPort[]> {
    return this.#reservations.reserve(containerId, publishGroup, ports);
  }

  reserved(containerId: string): readonly BoundPort[] {
    return this.#reservations.of(containerId);
  }

  async hasLink(name: string): Promise<boolean> {
    return (await linkNames()).has(name);
  }

  publish(endpoints: readonly Endpoint[]): Promise<void> {
    this.#endpoints = endpoints;
    return this.#applyRules();
  }

  // oxlint-disable-next-line typescript/require-await -- async, so that a failure is a rejection
  async #applyRules(): Promise<void> {
    // A network that is being made has its rules before it is told; one that is being removed keeps them until it is gone.
    const networks = [this.#default, ...this.#store.list().map(({ record }) => record)];
    const { instance } = this.#options;
    const script = tableScript(instance, networks.map(ruledNetwork), this.#endpoints ?? []);
    await this.#keeper.apply(script);
  }

  #linkName(containerId: string, networkId: string): string {
    return hostLinkName(containerId, networkId === this.#default.id ? undefined : networkId);
  }

  [Symbol.dispose](): void {
    this.#keeper[Symbol.dispose]();
  }
}

function ruledNetwork(record: BridgeNetworkRecord): RuledNetwork {
  const { bridge, internal, isConnected, masquerades } = record;
  return { bridge, internal, isConnected, masquerades, subnet: leasePool(record).subnet };
}

/** A bridge that is there already is not ours: it would be gone with the network. */
function checkBridgeName(bridge: string, others: readonly BridgeNetworkRecord[], links: ReadonlySet<string>): void {
  const holder = others.find((one) => one.bridge === bridge);
  if (holder !== undefined) {
    throw new BerthError(
      'forbidden',
      'network.bridge-taken',
      `conflicts with network ${holder.id} (${holder.name}): networks have same bridge name`,
    );
  }
  if (!links.has(bridge)) return;
  throw new BerthError('conflict', 'network.bridge-taken', `The link ${bridge} is there already on this host`, {
    remedy: 'Choose another com.docker.network.bridge.name, or remove that link.',
  });
}

/** dockerd's text. */
export function unknownNetwork(reference: string): BerthError {
  return new BerthError('not-found', 'network.unknown', `network ${reference.slice(0, 80)} not found`);
}
