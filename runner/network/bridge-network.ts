import { readFile } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import type { PublishedPort } from '#shared/model/service.ts';
import type { Launcher, LinkSpec } from '../launcher/launcher.ts';
import { formatIpv4, gatewayOf, macAddressOf, type Subnet } from './ipv4.ts';
import { AddressLeases } from './leases.ts';
import type { Endpoint, Network } from './network.ts';
import { NftSession } from './nft.ts';
import { PortReservations } from './port-reservations.ts';
import { hostLinkName, instanceNames, removeTableScript, tableScript, type InstanceNames } from './rules.ts';
import { chooseSubnet, formatSubnet, parseRoutes, parseSubnet } from './subnet.ts';
import { setNetworkSysctl } from './sysctl.ts';

/** What the network needs of the launcher: links are made over rtnetlink there. */
export type LinkMaker = Pick<Launcher, 'ensureBridge' | 'removeLink'>;

export interface NetworkOptions {
  readonly database: DatabaseSync;
  readonly launcher: LinkMaker;
  /** `instanceId` of the data root. */
  readonly instance: string;
}

/**
 * Brings up the data root's bridge and forwarding in this network namespace. The rules of an earlier runner stay in
 * force until the first `publish`, so that its containers stay reachable meanwhile.
 *
 * Disposing it leaves bridge and rules as they are, because containers outlive the runner; `removeNetwork` undoes them.
 *
 * @throws BerthError `network.no-subnet`, `network.sysctl-failed`, `network.nft-failed`, and what `ensureBridge` throws
 */
export async function createNetwork(options: NetworkOptions): Promise<Network & AsyncDisposable> {
  const names = instanceNames(options.instance);
  const subnet = await storedSubnet(options.database);
  const gateway = formatIpv4(gatewayOf(subnet));
  await options.launcher.ensureBridge({ name: names.bridge, address: gateway, prefixLength: subnet.prefixLength });
  await setNetworkSysctl(['ipv4', 'ip_forward'], '1');
  await setNetworkSysctl(['ipv4', 'conf', names.bridge, 'route_localnet'], '1');
  const nft = new NftSession();
  try {
    // A table that is there already is an earlier runner's, and better than an empty one.
    await nft.apply(`list table ip ${names.table}`);
  } catch {
    try {
      await nft.apply(tableScript(options.instance, subnet, []));
    } catch (error) {
      await nft[Symbol.asyncDispose]();
      throw error;
    }
  }
  return new BridgeNetwork(options, names, subnet, nft);
}

/** Removes what `createNetwork` and `publish` made in this network namespace; idempotent. No container may be left. */
export async function removeNetwork(options: Omit<NetworkOptions, 'database'>): Promise<void> {
  await using nft = new NftSession();
  await nft.apply(removeTableScript(options.instance));
  await options.launcher.removeLink(instanceNames(options.instance).bridge);
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
  const subnet = chooseSubnet(parseRoutes(await readFile('/proc/net/route', 'utf8')));
  database.prepare("insert into meta (key, value) values ('subnet', ?)").run(formatSubnet(subnet));
  return subnet;
}

class BridgeNetwork implements Network, AsyncDisposable {
  readonly gateway: string;
  readonly subnet: string;
  readonly #names: InstanceNames;
  readonly #instance: string;
  readonly #launcher: LinkMaker;
  readonly #subnet: Subnet;
  readonly #leases: AddressLeases;
  readonly #reservations: PortReservations;
  readonly #nft: NftSession;
  #applied: string | undefined; // the script in force, undefined when not known
  #next: { script: string; done: Promise<void> } | undefined; // waits for the one under way

  constructor(options: NetworkOptions, names: InstanceNames, subnet: Subnet, nft: NftSession) {
    this.gateway = formatIpv4(gatewayOf(subnet));
    this.subnet = formatSubnet(subnet);
    this.#names = names;
    this.#instance = options.instance;
    this.#launcher = options.launcher;
    this.#subnet = subnet;
    this.#leases = new AddressLeases(options.database, subnet);
    this.#reservations = new PortReservations(options.database);
    this.#nft = nft;
  }

  // oxlint-disable-next-line typescript/require-await -- async, so that a failure is a rejection
  async lease(containerId: string): Promise<LinkSpec> {
    const hostName = hostLinkName(containerId);
    const address = this.#leases.lease(containerId);
    return {
      bridge: this.#names.bridge,
      hostName,
      containerName: 'eth0',
      address: formatIpv4(address),
      prefixLength: this.#subnet.prefixLength,
      gateway: this.gateway,
      macAddress: macAddressOf(address),
    };
  }

  async release(containerId: string): Promise<void> {
    // The link first: an address is free only when nothing answers at it. None is made without a lease.
    const leased = this.#leases.find(containerId) !== undefined;
    if (leased) await this.#launcher.removeLink(hostLinkName(containerId));
    this.#reservations.release(containerId);
    if (leased) this.#leases.release(containerId);
  }

  reserve(containerId: string, publishGroup: string, ports: readonly PublishedPort[]): Promise<void> {
    return this.#reservations.reserve(containerId, publishGroup, ports);
  }

  /** Calls that come while a transaction is under way become one: only the newest complete set matters. */
  // oxlint-disable-next-line typescript/require-await -- async, so that a failure is a rejection
  async publish(endpoints: readonly Endpoint[]): Promise<void> {
    const script = tableScript(this.#instance, this.#subnet, endpoints);
    if (this.#next !== undefined) {
      this.#next.script = script;
      return this.#next.done;
    }
    const next = { script, done: Promise.resolve() };
    this.#next = next;
    next.done = this.#nft.idle().then(() => {
      this.#next = undefined;
      return this.#apply(next.script);
    });
    return next.done;
  }

  async #apply(script: string): Promise<void> {
    if (script === this.#applied) return;
    this.#applied = undefined;
    await this.#nft.apply(script);
    this.#applied = script;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#nft[Symbol.asyncDispose]();
  }
}
