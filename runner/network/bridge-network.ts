import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { BerthError, errorText } from '#shared/errors.ts';
import type { Launcher } from '../launcher/launcher.ts';
import { bridgeSettingsOf } from './bridge-options.ts';
import { parsePrefix, planAddresses } from './ipam.ts';
import { formatIpv4, gatewayOf, type Subnet } from './ipv4.ts';
import { AddressLeases, leasePool, type LeaseRequest } from './leases.ts';
import {
  DEFAULT_NETWORK,
  isPredefined,
  type BridgeNetworkRecord,
  type NetworkRecord,
  type NetworkRequest,
  type PlainNetworkRecord,
} from './network-record.ts';
import { NetworkStore } from './network-store.ts';
import type { BoundPort, Endpoint, Network, NetworkLink, PortRequest } from './network.ts';
import { NftSession } from './nft.ts';
import { PortReservations } from './port-reservations.ts';
import { RuleKeeper } from './rule-keeper.ts';
import { hostLinkName, instanceNames, removeTableScript, tableScript, type RuledNetwork } from './rules.ts';
import { chooseSubnet, formatSubnet, parseRoutes, parseSubnet } from './subnet.ts';
import { setNetworkSysctl } from './sysctl.ts';

/** What the network needs of the launcher: links are made over rtnetlink there. */
export type LinkMaker = Pick<Launcher, 'ensureBridge' | 'removeLink'>;

export interface NetworkOptions {
  readonly database: DatabaseSync;
  readonly launcher: LinkMaker;
  /** The caller's, who ends it after the network. */
  readonly nft: NftSession;
  /** `instanceId` of the data root. */
  readonly instance: string;
  /** Told when the rules were gone and have been made again, or could not be. */
  readonly onWarning?: (text: string) => void;
  /** How often it is looked whether the rules are still there, in milliseconds. Default: 10 s. */
  readonly checkEveryMs?: number;
  /** Unix milliseconds. */
  readonly clock?: () => number;
}

const CHECK_EVERY_MS = 10_000;

/**
 * Brings up the data root's bridges and forwarding in this network namespace; networks that a crash left half made or
 * half removed are taken away. The rules of an earlier runner stay in force until the first `publish`, so that its
 * containers stay reachable meanwhile.
 *
 * Disposing it leaves bridges and rules as they are, because containers outlive the runner; `removeNetwork` undoes them.
 *
 * @throws BerthError `network.no-subnet`, `network.sysctl-failed`, `network.nft-failed`, and what `ensureBridge` throws
 */
export async function createNetwork(options: NetworkOptions): Promise<Network & Disposable> {
  const { database, instance, launcher } = options;
  const onWarning = options.onWarning ?? (() => {});
  const subnet = await storedSubnet(database);
  const fallback = defaultNetwork(instance, subnet);
  database.prepare('update network_leases set network_id = ? where network_id = ?').run(fallback.id, DEFAULT_NETWORK);
  const store = new NetworkStore(database);
  await setNetworkSysctl(['ipv4', 'ip_forward'], '1');
  await makeBridge(launcher, fallback);
  for (const { record, state } of store.list()) {
    try {
      if (state === 'ready') await makeBridge(launcher, record);
      else await removeBridge(launcher, store, record);
    } catch (error) {
      onWarning(`The bridge of the network "${record.name}" could not be brought up or removed: ${errorText(error)}`);
    }
  }
  const keeper = new RuleKeeper({
    ...{ instance, onWarning, nft: options.nft },
    checkEveryMs: options.checkEveryMs ?? CHECK_EVERY_MS,
  });
  const network = new HostNetworks(options, fallback, store, keeper);
  try {
    if (!(await keeper.isThere())) await network.publish([]);
  } catch (error) {
    network[Symbol.dispose]();
    throw error;
  }
  return network;
}

/** Removes what `createNetwork` and what came after it made in this network namespace; idempotent. No container may be left. */
export async function removeNetwork(
  options: Pick<NetworkOptions, 'launcher' | 'instance' | 'database'>,
): Promise<void> {
  await using nft = new NftSession();
  await nft.apply(removeTableScript(options.instance));
  const store = new NetworkStore(options.database);
  for (const { record } of store.list()) await removeBridge(options.launcher, store, record);
  await options.launcher.removeLink(instanceNames(options.instance).bridge);
}

async function makeBridge(launcher: LinkMaker, { bridge, gateway, subnet }: BridgeNetworkRecord): Promise<void> {
  const prefixLength = parsePrefix(subnet)?.prefixLength ?? 0;
  await launcher.ensureBridge({ name: bridge, address: gateway, prefixLength });
  await setNetworkSysctl(['ipv4', 'conf', bridge, 'route_localnet'], '1');
}

/** The bridge first: a record says what there may still be. */
async function removeBridge(launcher: LinkMaker, store: NetworkStore, record: BridgeNetworkRecord): Promise<void> {
  store.setState(record.id, 'removing');
  await launcher.removeLink(record.bridge);
  store.delete(record.id);
}

/** The subnet is chosen once in a data root's life: addresses are leased from it. */
async function storedSubnet(database: DatabaseSync): Promise<Subnet> {
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

async function hostRoutes(): Promise<readonly Subnet[]> {
  return parseRoutes(await readFile('/proc/net/route', 'utf8'));
}

/** The names of the links in this network namespace (proc_net_dev(5)). */
async function linkNames(): Promise<ReadonlySet<string>> {
  const lines = (await readFile('/proc/net/dev', 'utf8')).split('\n').slice(2);
  return new Set(lines.map((line) => line.slice(0, line.lastIndexOf(':')).trim()));
}

/** What the engine's own networks are called by: the same after each start. */
function predefinedId(name: string, instance: string): string {
  return createHash('sha256').update(`${name} ${instance}`).digest('hex');
}

function defaultNetwork(instance: string, subnet: Subnet): BridgeNetworkRecord {
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

/*
 * Invariants: a network that `find` answers has its bridge and its rules; the database knows of a bridge before the
 * kernel does, and until the kernel has forgotten it. A network whose removal has begun gives no lease, and one with a
 * lease is not removed: both are decided in one turn.
 */
class HostNetworks implements Network, Disposable {
  readonly gateway: string;
  readonly subnet: string;
  readonly #default: BridgeNetworkRecord;
  readonly #plain: readonly PlainNetworkRecord[];
  readonly #options: NetworkOptions;
  readonly #store: NetworkStore;
  readonly #leases: AddressLeases;
  readonly #reservations: PortReservations;
  readonly #keeper: RuleKeeper;
  #endpoints: readonly Endpoint[] | undefined; // published last

  constructor(options: NetworkOptions, fallback: BridgeNetworkRecord, store: NetworkStore, keeper: RuleKeeper) {
    this.gateway = fallback.gateway;
    this.subnet = fallback.subnet;
    this.#default = fallback;
    this.#plain = (['host', 'none'] as const).map((name) => ({
      ...{ kind: name, name },
      id: predefinedId(name, options.instance),
    }));
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

  // oxlint-disable-next-line typescript/require-await -- async, so that a failure is a rejection
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
      ...(network.isConnected ? {} : { isolated: true }),
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
