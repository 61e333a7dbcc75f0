import type { Client } from '@libsql/client/web';
import type { RelayGrant } from '#shared/relay/header.ts';
import type { Assignment, AssignmentVersion } from '#shared/model/assignment.ts';
import type { HostFacts, HostImage } from '#shared/model/host.ts';
import type { TaskStatus } from '#shared/model/task.ts';

/** Unix milliseconds; a port, so that tests set it. */
export type Clock = () => number;

/** What the hub must know of a host before it lets it in. */
export interface HostIdentity {
  readonly id: string;
  readonly name: string;
  /** Raw Ed25519 public key. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly revoked: boolean;
}

/**
 * What the session room (hub) needs of the rest, and all that it may use: implemented by `store/cluster-store.ts` with
 * the pure `core/`. Every method is one guarded write or one read, safe to repeat; calls arrive one at a time, because
 * the hub is a cluster's single writer of observed state and of tasks.
 */
export interface Cluster {
  identity(hostId: string): Promise<HostIdentity | undefined>;
  /** A host proved its key: store facts and images, state `ready`. Answers the highest stored status seq. */
  hostConnected(hostId: string, facts: HostFacts, images: readonly HostImage[]): Promise<{ ackedSeq: number }>;
  /** Its connection ended: state `away`. */
  hostDisconnected(hostId: string): Promise<void>;
  hostImages(hostId: string, images: readonly HostImage[]): Promise<void>;
  /** Stores a status batch unless `seq` is already stored; answers the highest stored seq. */
  hostStatus(hostId: string, seq: number, tasks: readonly TaskStatus[]): Promise<{ ackedSeq: number }>;
  hostApplied(hostId: string, version: AssignmentVersion): Promise<void>;
  /** Ids of the hosts stored as `ready`: those without a connection are `away`, which a hub with empty memory must find. */
  readyHosts(): Promise<readonly string[]>;
  /** The newest event's id, 0 when there is none: what `Hub.waitForEvents` waits on. */
  newestEventId(): Promise<number>;
  /** The complete assignment that a host should have now. */
  assignmentOf(hostId: string): Promise<{ version: AssignmentVersion; assignment: Assignment }>;
  /**
   * Brings tasks in line with the desired services: ends leases that ran out, schedules slots, retires tasks that are no
   * longer wanted, raises generations, writes events; one guarded batch. `nextAtMs` is when it must run again though
   * nothing happens (a backoff or a lease ends).
   */
  converge(): Promise<{ touchedHosts: readonly string[]; nextAtMs: number | undefined }>;
}

/** What the API room needs of the session room. In Workers it crosses into the cluster's Durable Object. */
export interface Hub {
  /** Desired state changed: converge soon and push. Resolves when the convergence that saw the change is stored. */
  poke(): Promise<void>;
  /** A removed host: close its channel with `CLOSE.revoked`, then as `poke`. */
  revoke(hostId: string): Promise<void>;
  /**
   * Makes a relay with two one-time tokens and tells the host to dial it.
   *
   * @throws BerthError `host.not-connected`
   */
  openRelay(hostId: string, grant: RelayGrant): Promise<{ relayId: string; path: string; token: string }>;
  /** Resolves when the newest event id is over `after`, or `waitMs` has passed; a hint, the reader queries again. */
  waitForEvents(after: number, waitMs: number, signal: AbortSignal): Promise<void>;
}

/**
 * What both composition roots give to `createApp`. WebSocket upgrades of `/v1/hosts/{id}/channel` and
 * `/v1/relays/{id}` are taken by the composition root (`session/`) before the app sees the request.
 */
export interface Ports {
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: Clock;
  /** The bearer of POST /v1/bootstrap; undefined turns bootstrapping off. */
  readonly bootstrapSecret: string | undefined;
}

/**
 * The libSQL database. Writes go through `write`, which is serialised where the client needs it (embedded libSQL, see
 * `store/embedded.ts`); reads go to `read`.
 */
export interface Database {
  readonly read: Client;
  write<Result>(use: (client: Client) => Promise<Result>): Promise<Result>;
}
