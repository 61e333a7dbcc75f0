import type { BridgeNetworkRecord, NetworkRequest } from '../network/network-record.ts';
import type { ExecSession } from '../launcher/launcher.ts';
import type { EndpointConfig } from './network-config.ts';
import type { ContainerUpdate } from './updating.ts';

/** A health check's command is an exec, too. */
export type ProbeEvent = { readonly execId: string; readonly command: readonly string[] } & (
  | { readonly kind: 'created' | 'started' }
  | { readonly kind: 'ended'; readonly exitCode: number }
);
export type ProbeListener = (id: string, event: ProbeEvent) => void;

/** What only a person at a terminal, or the Docker API, asks of the container engine. */
export interface ContainerControl {
  /**
   * The stdio of the first process from now on. Of a container that does not run: from the first byte of its next run,
   * for which this waits.
   *
   * @throws BerthError `container.unknown`, and why the start for which it waited failed
   */
  attach(id: string, options?: { signal?: AbortSignal }): Promise<ExecSession>;
  /** @throws BerthError `container.unknown`, `container.name-taken` */
  rename(id: string, name: string): Promise<void>;
  /** Stops it when it runs, then starts it. */
  restart(id: string, options?: { signal?: string; timeoutMs?: number }): Promise<void>;
  /** Makes a network, and what answers names on it; see `Network.create`. */
  createNetwork(request: NetworkRequest): Promise<BridgeNetworkRecord>;
  /** Takes a network away; see `Network.remove`. */
  removeNetwork(id: string): Promise<void>;
  /**
   * Puts a container on one more network: at once when it runs, else from its next start on.
   *
   * @throws BerthError `network.already-connected`, and what `Network.lease` throws
   */
  connect(id: string, endpoint: EndpointConfig): Promise<void>;
  /** Takes a container off a network, by the network's id. @throws BerthError `network.not-connected` */
  disconnect(id: string, networkId: string): Promise<void>;
  /**
   * Lets its processes stand still, its health checks too.
   *
   * @param options.momentary it goes on when this runner has ended without unpausing it; default: it stays paused
   * @throws BerthError `container.not-running`, `container.paused`, `cgroup.not-frozen`
   */
  pause(id: string, options?: { momentary?: boolean }): Promise<void>;
  /** @throws BerthError `container.not-paused` */
  unpause(id: string): Promise<void>;
  /**
   * Changes its limits, in force at once, and its restart policy. What the kernel refuses leaves all as it was.
   *
   * @throws BerthError `container.removing`, `cgroup.write-failed`
   */
  update(id: string, update: ContainerUpdate): Promise<void>;
  /** Called for each step of each health check's command. */
  onProbe?(listener: ProbeListener): Disposable;
  /** The size of its terminal. @throws BerthError `container.not-running` */
  resize(id: string, size: { columns: number; rows: number }): Promise<void>;
}
