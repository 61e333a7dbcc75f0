import type { PublishedPort } from '#shared/model/service.ts';
import type { LinkSpec } from '../launcher/launcher.ts';
import type { LeaseRequest } from './leases.ts';
import type { BridgeNetworkRecord, NetworkRecord, NetworkRequest } from './network-record.ts';

/** A port of the host at which a container's port answers. */
export interface BoundPort extends PublishedPort {
  /** The one address of the host; absent: every one. */
  readonly hostAddress?: string | undefined;
}

/** A port that a container wants at the host: `hostPort` 0 is any free one, up to `lastHostPort` one of a range. */
export interface PortRequest extends BoundPort {
  readonly lastHostPort?: number | undefined;
}

/** A running container that answers at published ports. */
export interface Endpoint {
  readonly containerId: string;
  readonly address: string;
  readonly publishGroup: string;
  readonly ports: readonly BoundPort[];
}

/** A container's place on a network: its lease, and the link that is made by it. */
export interface NetworkLink extends LinkSpec {
  readonly networkId: string;
  readonly networkName: string;
  /** The network has a way out, which its gateway is. */
  readonly hasWayOut: boolean;
}

/** The networks of a host: addresses are leased in runner.db, rules are one nftables table of this runner. */
export interface Network {
  /** All of them, the engine's own (`bridge`, `host`, `none`) first. */
  list(): readonly NetworkRecord[];
  /**
   * By id, name, or a prefix of the id that only one has.
   *
   * @throws BerthError `network.ambiguous`
   */
  find(reference: string): NetworkRecord | undefined;
  /**
   * Makes a bridge network; when it resolves, containers can be on it.
   *
   * @throws BerthError `network.name-taken`, `network.pool-overlaps`, `network.ipam-invalid`, `network.option-invalid` …
   */
  create(request: NetworkRequest): Promise<BridgeNetworkRecord>;
  /**
   * Takes a network away with its bridge.
   *
   * @throws BerthError `network.unknown`, `network.predefined`, `network.in-use`
   */
  remove(id: string): Promise<void>;
  /** Who has an address of it. */
  containersOf(id: string): readonly string[];
  /**
   * The container's address lease on a network, made or found again; it lasts until `leave` or `release`. Without a
   * network: the default one.
   *
   * @throws BerthError `network.unknown`, `network.addresses-exhausted`, `network.address-taken`
   */
  lease(containerId: string, networkId?: string, request?: LeaseRequest): Promise<NetworkLink>;
  /** The networks on which a container has a lease. */
  leased(containerId: string): readonly string[];
  /** Ends one lease and removes the host end of its link, which takes the container's end with it; idempotent. */
  leave(containerId: string, networkId: string): Promise<void>;
  /** Ends the leases and the container's port reservations, and removes the host ends of its links; idempotent. */
  release(containerId: string): Promise<void>;
  /**
   * Reserves host ports for a group, before start, and answers what was chosen. `ports` replaces what the container had
   * reserved, all or nothing; an empty list gives everything back (after its end).
   *
   * @throws BerthError `port.taken` naming port and holder (another group, or another process of the host),
   * `port.address-unknown`
   */
  reserve(containerId: string, publishGroup: string, ports: readonly PortRequest[]): Promise<readonly BoundPort[]>;
  /** What `reserve` chose for the container last. */
  reserved(containerId: string): readonly BoundPort[];
  /** True when the kernel has a link of this name in the runner's network namespace. */
  hasLink(name: string): Promise<boolean>;
  /** The complete set of endpoints that should be reachable now, as one nftables transaction; idempotent. */
  publish(endpoints: readonly Endpoint[]): Promise<void>;
  /** Gateway address of the default bridge, which is also its containers' resolver when the host has only local ones. */
  readonly gateway: string;
  /** The default network's addresses: `10.88.0.0/16`. */
  readonly subnet: string;
}
