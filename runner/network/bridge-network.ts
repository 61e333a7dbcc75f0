import { readFile } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { BerthError, errorText } from '#shared/errors.ts';
import type { PublishedPort } from '#shared/model/service.ts';
import type { Launcher, LinkSpec } from '../launcher/launcher.ts';
import { formatIpv4, gatewayOf, macAddressOf, type Subnet } from './ipv4.ts';
import { AddressLeases } from './leases.ts';
import type { Endpoint, Network } from './network.ts';
import { NftSession } from './nft.ts';
import { PortReservations } from './port-reservations.ts';
import {
  hostLinkName,
  instanceNames,
  probeTableScript,
  removeTableScript,
  tableScript,
  type InstanceNames,
} from './rules.ts';
import { chooseSubnet, formatSubnet, parseRoutes, parseSubnet } from './subnet.ts';
import { setNetworkSysctl } from './sysctl.ts';

/** What the network needs of the launcher: links are made over rtnetlink there. */
export type LinkMaker = Pick<Launcher, 'ensureBridge' | 'removeLink'>;

export interface NetworkOptions {
  readonly database: DatabaseSync;
  readonly launcher: LinkMaker;
  /** `instanceId` of the data root. */
  readonly instance: string;
  /** Told when the rules were gone and have been made again, or could not be. */
  readonly onWarning?: (text: string) => void;
  /** How often it is looked whether the rules are still there, in milliseconds. Default: 10 s. */
  readonly checkEveryMs?: number;
}

const CHECK_EVERY_MS = 10_000;

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
export async function removeNetwork(options: Pick<NetworkOptions, 'launcher' | 'instance'>): Promise<void> {
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

/*
 * Invariants: one transaction at a time; a publication that comes meanwhile waits, with the newest set. The rules may be
 * taken away by anybody (`nft flush ruleset`): what was published last is made again within `checkEveryMs`.
 */
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
  readonly #onWarning: (text: string) => void;
  readonly #timer: NodeJS.Timeout;
  #isChecking = false;
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
    this.#onWarning = options.onWarning ?? (() => {});
    this.#timer = setInterval(() => void this.#check(), options.checkEveryMs ?? CHECK_EVERY_MS).unref();
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
    if (script === this.#applied && (await this.#isThere())) return;
    this.#applied = undefined;
    await this.#nft.apply(script);
    this.#applied = script;
  }

  #isThere(): Promise<boolean> {
    return this.#nft.apply(probeTableScript(this.#instance)).then(
      () => true,
      () => false,
    );
  }

  /** One at a time; a failure is told and met again by the next. Nothing is restored before it was published once. */
  async #check(): Promise<void> {
    const script = this.#applied;
    if (this.#isChecking || this.#next !== undefined || script === undefined) return;
    this.#isChecking = true;
    try {
      if (await this.#isThere()) return;
      // A publication that came meanwhile has, or will, set all of it.
      if (this.#next !== undefined || this.#applied !== script) return;
      await this.#nft.apply(script);
      this.#onWarning(`The nftables table ${this.#names.table} was gone and has been made again`);
    } catch (error) {
      this.#onWarning(`The nftables table ${this.#names.table} is gone: ${errorText(error)}`);
    } finally {
      this.#isChecking = false;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    return this.#nft[Symbol.asyncDispose]();
  }
}
