import type { StatementSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import type { HealthState } from '#shared/model/task.ts';
import type { RunnerDatabase } from '../runner-database.ts';
import { containerConfig, type ContainerConfig } from './config.ts';
import type { ContainerRecord, ContainerState } from './engine.ts';

/** A container as runner.db has it: the record, and whether it should run. */
export interface StoredContainer extends ContainerRecord {
  /** What was asked for last: a start or a stop. */
  readonly desired: 'running' | 'stopped';
  /** The pause before the current or coming run, undefined when it was started explicitly. Milliseconds. */
  readonly backoffMs: number | undefined;
  /** When the policy's last restart was or will be due; it outlasts the restart, unlike the record's. */
  readonly restartAtMs: number | undefined;
}

export type ContainerChange = Partial<Omit<StoredContainer, 'id' | 'config' | 'createdAtMs' | 'backoffMs'>>;

/** What a container has on networks while it does not run. */
export const noNetworks = { address: undefined, links: [], published: [] } as const;

export type ContainerListener = (id: string, record: ContainerRecord | undefined) => void;

/**
 * The containers of one host. Reads are from memory; every change is in runner.db before the memory shows it and before
 * a listener hears of it, where a kill of the runner cannot undo it. `update` leaves it on disk, too, where a loss of power
 * cannot undo it; the others leave that to `synced`. Not stored here are `address`, `links` and `published`, which are the
 * network's, `paused`, which the kernel knows, and `probes`, which have a file of their own.
 */
export class ContainerStore {
  readonly #records = new Map<string, StoredContainer>();
  readonly #idsByName = new Map<string, string>();
  readonly #listeners = new Set<ContainerListener>();
  readonly #database: RunnerDatabase;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #delete: StatementSync;
  readonly #rename: StatementSync;

  constructor(database: RunnerDatabase) {
    this.#database = database;
    this.#insert = database.prepare(`insert into containers (id, name, config, state, health, pid, desired, exit_code,
      oom_killed, error, restarts, created_at_ms, started_at_ms, finished_at_ms, restart_at_ms)
      values (:id, :name, :config, :state, :health, :pid, :desired, :exit_code, :oom_killed, :error, :restarts,
      :created_at_ms, :started_at_ms, :finished_at_ms, :restart_at_ms)`);
    this.#update = database.prepare(`update containers set state = :state, health = :health, pid = :pid,
      desired = :desired, exit_code = :exit_code, oom_killed = :oom_killed, error = :error, restarts = :restarts,
      started_at_ms = :started_at_ms, finished_at_ms = :finished_at_ms, restart_at_ms = :restart_at_ms where id = :id`);
    this.#rename = database.prepare('update containers set name = :name, config = :config where id = :id');
    this.#delete = database.prepare('delete from containers where id = ?');
    for (const row of database.prepare('select * from containers order by created_at_ms, id').all()) {
      const record = fromRow(row as unknown as Row);
      this.#remember(record);
    }
  }

  get(id: string): StoredContainer | undefined {
    return this.#records.get(id);
  }

  /** @throws BerthError `container.unknown` */
  require(id: string): StoredContainer {
    const record = this.#records.get(id);
    if (record === undefined) throw unknownContainer(id);
    return record;
  }

  /** By id, name, or a prefix of the id that only one container has. */
  find(reference: string): StoredContainer | undefined {
    const exact = this.#records.get(reference) ?? this.#records.get(this.#idsByName.get(reference) ?? '');
    if (exact !== undefined || !/^[0-9a-f]+$/.test(reference)) return exact;
    const matches = [...this.#records.keys()].filter((id) => id.startsWith(reference));
    return matches.length === 1 ? this.#records.get(matches[0] ?? '') : undefined;
  }

  list(): readonly StoredContainer[] {
    return [...this.#records.values()];
  }

  /** @throws BerthError `container.name-taken` */
  requireFreeName(name: string): void {
    const holder = this.#idsByName.get(name);
    if (holder !== undefined) throw nameTaken(name, holder);
  }

  /** Deferred. @throws BerthError `container.name-taken` */
  insert(id: string, config: ContainerConfig, createdAtMs: number): StoredContainer {
    this.requireFreeName(config.name);
    const record = created(id, config, createdAtMs);
    const columns = {
      ...toColumns(record),
      name: config.name,
      config: JSON.stringify(config),
      created_at_ms: createdAtMs,
    };
    this.#database.defer(() => this.#insert.run(columns));
    this.#remember(record);
    this.#tell(id, record);
    return record;
  }

  /** @throws BerthError `container.unknown` */
  update(id: string, change: ContainerChange): StoredContainer {
    return this.#change(id, change, (columns) => this.#update.run(columns));
  }

  /** Deferred. @throws BerthError `container.unknown` */
  note(id: string, change: ContainerChange): StoredContainer {
    return this.#change(id, change, (columns) => this.#database.defer(() => this.#update.run(columns)));
  }

  #change(
    id: string,
    change: ContainerChange,
    write: (columns: ReturnType<typeof toColumns>) => void,
  ): StoredContainer {
    const before = this.require(id);
    const record = withBackoff({ ...before, ...change });
    const { address: _address, links: _links, published: _published, ...others } = change;
    const { paused: _paused, probes: _probes, ...stored } = others;
    if (Object.keys(stored).length > 0) write(toColumns(record));
    this.#remember(record);
    this.#tell(id, record);
    return record;
  }

  /** Changes what the container is made of. @throws BerthError `container.unknown` */
  configure(id: string, change: Partial<Omit<ContainerConfig, 'name'>>): void {
    const before = this.require(id);
    const config = containerConfig.parse({ ...before.config, ...change });
    this.#rename.run({ id, name: config.name, config: JSON.stringify(config) });
    this.#remember({ ...before, config });
    this.#tell(id, this.require(id));
  }

  /** @throws BerthError `container.unknown`, `container.name-taken` */
  rename(id: string, name: string): void {
    const before = this.require(id);
    const holder = this.#idsByName.get(name);
    if (holder !== undefined) throw nameTaken(name, holder);
    const config = containerConfig.parse({ ...before.config, name });
    this.#rename.run({ id, name, config: JSON.stringify(config) });
    this.#idsByName.delete(before.config.name);
    this.#remember({ ...before, config });
    this.#tell(id, this.require(id));
  }

  /** Its config as a whole, but for its name. @throws BerthError `container.unknown` */
  reconfigure(id: string, config: ContainerConfig): void {
    const before = this.require(id);
    const { name } = before.config;
    this.#rename.run({ id, name, config: JSON.stringify({ ...config, name }) });
    this.#remember({ ...before, config: { ...config, name } });
    this.#tell(id, this.require(id));
  }

  /** Deferred: what comes back with the power says `removing`, and is removed again. */
  delete(id: string): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#database.defer(() => this.#delete.run(id));
    this.#records.delete(id);
    this.#idsByName.delete(record.config.name);
    this.#tell(id, undefined);
  }

  /** Resolves when every change until now is on disk; those of several containers share one sync. */
  synced(): Promise<void> {
    return this.#database.synced();
  }

  onChange(listener: ContainerListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #remember(record: StoredContainer): void {
    this.#records.set(record.id, record);
    this.#idsByName.set(record.config.name, record.id);
  }

  #tell(id: string, record: StoredContainer | undefined): void {
    for (const listener of this.#listeners) listener(id, record && toRecord(record));
  }
}

/** The part of a stored container that the engine shows. */
export function toRecord(stored: StoredContainer): ContainerRecord {
  const { desired: _desired, backoffMs: _backoffMs, restartAtMs, ...record } = stored;
  return { ...record, restartAtMs: record.state === 'restarting' ? restartAtMs : undefined };
}

export function unknownContainer(reference: string): BerthError {
  return new BerthError('not-found', 'container.unknown', `There is no container "${reference}" on this host`, {
    remedy: 'List the containers with "berth ps" and use one of their names or ids.',
  });
}

function nameTaken(name: string, holder: string): BerthError {
  const message = `The container name "${name}" is in use by container ${holder.slice(0, 12)}`;
  return new BerthError('conflict', 'container.name-taken', message, {
    remedy: 'Remove or rename that container, or choose another name.',
  });
}

interface Row {
  readonly id: string;
  readonly config: string;
  readonly state: ContainerState;
  readonly health: HealthState;
  readonly pid: number;
  readonly desired: 'running' | 'stopped';
  readonly exit_code: number | null;
  readonly oom_killed: number;
  readonly error: string;
  readonly restarts: number;
  readonly created_at_ms: number;
  readonly started_at_ms: number | null;
  readonly finished_at_ms: number | null;
  readonly restart_at_ms: number | null;
}

/** The state columns are only ever written by this file, so they are taken as they are; the config is parsed. */
function fromRow(row: Row): StoredContainer {
  return withBackoff({
    id: row.id,
    config: containerConfig.parse(JSON.parse(row.config)),
    state: row.state,
    health: row.health,
    pid: row.pid,
    address: undefined,
    exitCode: row.exit_code ?? undefined,
    oomKilled: row.oom_killed === 1,
    paused: false,
    error: row.error,
    restarts: row.restarts,
    createdAtMs: row.created_at_ms,
    startedAtMs: row.started_at_ms ?? undefined,
    finishedAtMs: row.finished_at_ms ?? undefined,
    restartAtMs: row.restart_at_ms ?? undefined,
    desired: row.desired,
    backoffMs: undefined,
  });
}

function toColumns(record: StoredContainer) {
  return {
    id: record.id,
    state: record.state,
    health: record.health,
    pid: record.pid,
    desired: record.desired,
    exit_code: record.exitCode ?? null,
    oom_killed: record.oomKilled ? 1 : 0,
    error: record.error,
    restarts: record.restarts,
    started_at_ms: record.startedAtMs ?? null,
    finished_at_ms: record.finishedAtMs ?? null,
    restart_at_ms: record.restartAtMs ?? null,
  };
}

/** `restart_at_ms` and `finished_at_ms` outlast the restart, so that the pause between them can be doubled. */
function withBackoff(record: StoredContainer): StoredContainer {
  const { restartAtMs, finishedAtMs } = record;
  const backoffMs = restartAtMs === undefined || finishedAtMs === undefined ? undefined : restartAtMs - finishedAtMs;
  return { ...record, backoffMs };
}

function created(id: string, config: ContainerConfig, createdAtMs: number): StoredContainer {
  return {
    id,
    config,
    state: 'created',
    health: 'none',
    pid: 0,
    address: undefined,
    exitCode: undefined,
    oomKilled: false,
    paused: false,
    error: '',
    restarts: 0,
    createdAtMs,
    startedAtMs: undefined,
    finishedAtMs: undefined,
    restartAtMs: undefined,
    desired: 'stopped',
    backoffMs: undefined,
  };
}
