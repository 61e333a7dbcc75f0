import type { HealthState } from '#shared/model/task.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import type { BoundPort, NetworkLink } from '../network/network.ts';
import type { HealthProbe } from './health.ts';
import type { ContainerConfig } from './config.ts';

/**
 * A container's life: `created` -> `starting` -> `running` -> `exited` (-> `starting` again by its restart policy or a
 * start), `removing` from anywhere. A record says `starting` before a process is asked for, so that a crash in between
 * is seen.
 */
export type ContainerState = 'created' | 'starting' | 'running' | 'restarting' | 'exited' | 'removing';

export interface ContainerRecord {
  /** 64 hex digits. */
  readonly id: string;
  readonly config: ContainerConfig;
  readonly state: ContainerState;
  readonly health: HealthState;
  /** What its probes told. */
  readonly probes?: HealthReport | undefined;
  /** Host pid of its first process, 0 when none. */
  readonly pid: number;
  /** On the first of its networks, while it runs. */
  readonly address: string | undefined;
  /** Its place on each of its networks while it runs; absent: none. */
  readonly links?: readonly NetworkLink[];
  /** Where its ports are published while it runs; absent: nowhere. */
  readonly published?: readonly BoundPort[];
  readonly exitCode: number | undefined;
  readonly oomKilled: boolean;
  /** Running, but its processes stand still. */
  readonly paused: boolean;
  /** Why the last start or run failed; empty when it did not. */
  readonly error: string;
  /** Restarts by policy since the last explicit start. */
  readonly restarts: number;
  readonly createdAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  /** When the restart policy will start it again; defined in state `restarting`. */
  readonly restartAtMs: number | undefined;
}

export interface HealthReport {
  /** Failures in a row that count. */
  readonly failures: number;
  /** The last of them, oldest first. */
  readonly last: readonly HealthProbe[];
}

export interface LogOptions {
  readonly follow: boolean;
  /** Only the last so many entries. */
  readonly tail?: number;
  readonly sinceMs?: number;
  readonly signal?: AbortSignal;
}

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** As written, with its line end where it had one. */
  readonly text: string;
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  /** What the log's options add to each entry. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/**
 * The container engine of one host: the single way by which containers come to be and go, used by `reconcile/`,
 * `docker-api/` and `agent/`. Operations on one container run one after the other; each survives a crash at any line.
 */
export interface Engine {
  /** @throws BerthError `container.name-taken`, `image.unknown` */
  create(config: ContainerConfig): Promise<ContainerRecord>;
  /** @throws BerthError `container.unknown`, `port.taken`, and what `Launcher.launch` throws; the record says why too */
  start(id: string): Promise<void>;
  /** Resolves when it has ended; no restart follows. */
  stop(id: string, options?: { signal?: string; timeoutMs?: number }): Promise<void>;
  kill(id: string, signal: string): Promise<void>;
  /**
   * @param options `volumes`: with those of its volumes that have no name and that no other container uses
   * @throws BerthError `container.running` unless `force`
   */
  remove(id: string, options?: { force?: boolean; volumes?: boolean }): Promise<void>;
  /** Resolves with the exit code when it is not running. */
  wait(id: string, options?: { signal?: AbortSignal }): Promise<number>;
  /** @throws BerthError `container.unknown`, `container.log-unreadable` when its output is not kept */
  logs(id: string, options: LogOptions): AsyncIterable<LogEntry>;
  /** `env`, `cwd` and `user` empty: the container's own. */
  exec(id: string, request: ExecRequest): Promise<ExecSession>;
  /** By id, unique id prefix or name. */
  find(reference: string): ContainerRecord | undefined;
  list(): readonly ContainerRecord[];
  /** Called after each stored change of a record (undefined: removed). */
  onChange(listener: (id: string, record: ContainerRecord | undefined) => void): Disposable;
}
