import type { PublishedPort } from '#shared/model/service.ts';
import type { LinkSpec } from '../launcher/launcher.ts';

/** A running container that answers at published ports. */
export interface Endpoint {
  readonly containerId: string;
  readonly address: string;
  readonly publishGroup: string;
  readonly ports: readonly PublishedPort[];
}

/** The host's one bridge network: addresses are leased in runner.db, rules are one nftables table of this runner. */
export interface Network {
  /** The container's address lease, made or found again; it lasts until `release`. */
  lease(containerId: string): Promise<LinkSpec>;
  /** Ends the lease and the container's port reservations, and removes the host end of the link; idempotent. */
  release(containerId: string): Promise<void>;
  /**
   * Reserves the host ports for a group, before start. `ports` replaces what the container had reserved, all or nothing;
   * an empty list gives everything back (after its end).
   *
   * @throws BerthError `port.taken` naming port and holder (another group, or another process of the host)
   */
  reserve(containerId: string, publishGroup: string, ports: readonly PublishedPort[]): Promise<void>;
  /** The complete set of endpoints that should be reachable now, as one nftables transaction; idempotent. */
  publish(endpoints: readonly Endpoint[]): Promise<void>;
  /** Gateway address of the bridge, which is also its containers' resolver when the host has only local ones. */
  readonly gateway: string;
  /** The network's addresses: `10.88.0.0/16`. */
  readonly subnet: string;
}
