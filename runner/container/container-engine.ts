import type { DatabaseSync } from 'node:sqlite';
import { errorText } from '#shared/errors.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import type { BridgeNetworkRecord, NetworkRequest } from '../network/network-record.ts';
import { OperationQueue } from '../operation-queue.ts';
import type { ContainerConfig } from './config.ts';
import { volumeUsage } from './container-volumes.ts';
import { connectContainer, disconnectContainer } from './connecting.ts';
import { createContainer } from './creating.ts';
import { ContainerLogging } from './container-logging.ts';
import type { ContainerControl, ProbeListener } from './control.ts';
import { killContainer, notRunning, removeContainer, stopContainer, type StopOptions } from './ending.ts';
import { publishedEndpoints } from './endpoints.ts';
import type { ContainerRecord, Engine, LogEntry, LogOptions } from './engine.ts';
import type { EngineContext, LiveContainer } from './engine-context.ts';
import { execInContainer } from './executing.ts';
import { HealthWatch } from './health-watch.ts';
import { imageUser } from './image-user.ts';
import { currentNames } from './join-networks.ts';
import { namespaceOwners } from './joined-namespaces.ts';
import { disconnect, settleRun, startContainer, type RunEnd } from './lifecycle.ts';
import type { EndpointConfig } from './network-config.ts';
import { pauseContainer, unpauseContainer } from './pausing.ts';
import { Publisher } from './publisher.ts';
import { recoverContainer, recoverContainers } from './recovery.ts';
import { RestartTimers } from './restart-timers.ts';
import { toRecord, unknownContainer, type ContainerListener, type StoredContainer } from './state.ts';
import { updateContainer, type ContainerUpdate } from './updating.ts';
import { waitForEnd } from './waiting.ts';

const sigkill = 'SIGKILL';

/** When the end of a run could not be recorded. */
const settleRetryMs = 1000;

/** When a container could not be recovered at the start. */
const recoverRetryMs = 5000;

/*
 * Invariants: all that changes one container runs in its queue, one after the other; a signal and an exec do not wait in
 * it, since they must reach a container that is being stopped. `live` has exactly the containers to whose shim we are
 * connected. Timers and published endpoints follow the records, they are never set by an operation.
 */
export class ContainerEngine implements Engine, ContainerControl, AsyncDisposable {
  readonly #context: EngineContext;
  readonly #database: DatabaseSync;
  readonly #queue = new OperationQueue();
  readonly #publisher: Publisher;
  readonly #timers: RestartTimers;
  readonly #logging: ContainerLogging;
  readonly #records: Disposable;
  readonly #imageGuard: Disposable;
  readonly #health: HealthWatch;
  #disposed = false;

  constructor(context: EngineContext, database: DatabaseSync) {
    this.#context = context;
    this.#database = database;
    this.#publisher = new Publisher({
      network: context.network,
      endpoints: () => publishedEndpoints(context.store.list()),
      names: () => currentNames(context),
      ...(context.resolver === undefined ? {} : { resolver: context.resolver }),
      log: context.log,
    });
    this.#timers = new RestartTimers(context.clock, (id) => this.#inBackground(id, () => this.#restart(id)));
    this.#logging = new ContainerLogging(context);
    this.#health = new HealthWatch({
      context,
      inBackground: (id, operation) => this.#inBackground(id, operation),
      publish: () => this.#publisher.request(),
    });
    this.#imageGuard = context.images.guard((imageId) => imageUser(context.store.list(), imageId));
    context.volumes.guard(volumeUsage(context.store));
    this.#records = context.store.onChange((id) => {
      const record = context.store.get(id);
      if (record?.state === 'exited' || record?.state === 'restarting')
        this.#inBackground(id, () => context.volumes.settle());
      this.#timers.update(id, record);
      if (record === undefined) context.attachments.failed(id, unknownContainer(id));
      else this.#autoRemove(record);
      if (record !== undefined && record.state !== 'exited' && record.state !== 'restarting') return;
      this.#logging.ended(id);
    });
  }

  async recover(): Promise<void> {
    const unfinished = await recoverContainers(this.#context, this.#database, this.#onExit);
    await this.#context.volumes.collect();
    await this.#context.volumes.settle();
    for (const [id, entry] of this.#context.live) this.#health.watch(id, entry);
    for (const record of this.#context.store.list()) {
      this.#logging.follow(record.id);
      this.#timers.update(record.id, record);
      this.#autoRemove(record);
    }
    await this.#publisher.request();
    const createdAt = (id: string): number => this.#context.store.get(id)?.createdAtMs ?? 0;
    for (const [id, rest] of [...unfinished].toSorted(([a], [b]) => createdAt(a) - createdAt(b))) {
      if (rest === 'stop') this.#inBackground(id, () => this.#stopNow(id, {}));
      if (rest === 'start') this.#inBackground(id, () => this.#startAfterOwners(id));
      if (rest === 'recover') this.#recoverLater(id);
    }
  }

  /** Those whose namespaces it joins were created, and so are queued, before it. */
  async #startAfterOwners(id: string): Promise<void> {
    const { config } = this.#context.store.require(id);
    for (const owner of namespaceOwners(config)) await this.#queue.run(owner, () => Promise.resolve());
    await this.#startNow(id, 'asked');
  }

  /** Until then the record says what it said when the runner ended, so only what would not change by itself is tried. */
  #recoverLater(id: string): void {
    const again = async (): Promise<void> => {
      const record = this.#context.store.get(id);
      const { live } = this.#context;
      if (record === undefined || live.has(id) || !['starting', 'running', 'removing'].includes(record.state)) return;
      const rest = await recoverContainer(this.#context, record, this.#onExit).catch((error: unknown) => {
        this.#recoverLater(id);
        throw error;
      });
      const entry = live.get(id);
      if (entry !== undefined) this.#health.watch(id, entry);
      await this.#publisher.request();
      if (rest === 'stop') await this.#stopNow(id, {});
      if (rest === 'start') await this.#startNow(id, 'asked');
    };
    setTimeout(() => this.#inBackground(id, again), recoverRetryMs).unref();
  }

  create(config: ContainerConfig): Promise<ContainerRecord> {
    return createContainer(this.#context, config);
  }

  start(id: string): Promise<void> {
    this.#context.store.require(id);
    return this.#queue.run(id, () => this.#startNow(id, 'asked'));
  }

  stop(id: string, options: StopOptions = {}): Promise<void> {
    this.#context.store.require(id);
    return this.#queue.run(id, () => this.#stopNow(id, options));
  }

  // oxlint-disable-next-line typescript/require-await -- async, so that a failure is a rejection
  async kill(id: string, signal: string): Promise<void> {
    return killContainer(this.#context, id, signal);
  }

  async remove(id: string, options: { force?: boolean; volumes?: boolean } = {}): Promise<void> {
    const { store, live } = this.#context;
    store.require(id);
    // A stop under way would otherwise be waited for to its timeout.
    if (options.force === true && live.has(id)) await killContainer(this.#context, id, sigkill).catch(() => undefined);
    return this.#queue.run(id, async () => {
      if (store.get(id) !== undefined) await removeContainer(this.#context, id, options);
      await this.#publisher.request();
    });
  }

  wait(id: string, options: { signal?: AbortSignal } = {}): Promise<number> {
    return waitForEnd(this.#context.store, id, options);
  }

  logs(id: string, options: LogOptions): AsyncIterable<LogEntry> {
    return this.#logging.read(id, options);
  }

  exec(id: string, request: ExecRequest): Promise<ExecSession> {
    return execInContainer(this.#context, id, request);
  }

  // oxlint-disable-next-line typescript/require-await -- async, so that a failure is a rejection
  async attach(id: string, options: { signal?: AbortSignal } = {}): Promise<ExecSession> {
    this.#context.store.require(id);
    return this.#context.live.get(id)?.shim.attach() ?? this.#context.attachments.wait(id, options.signal);
  }

  rename(id: string, name: string): Promise<void> {
    return this.#queue.run(id, async () => {
      this.#context.store.rename(id, name);
      await this.#publisher.request();
    });
  }

  async createNetwork(request: NetworkRequest): Promise<BridgeNetworkRecord> {
    const network = await this.#context.network.create(request);
    await this.#publisher.request();
    return network;
  }

  async removeNetwork(id: string): Promise<void> {
    await this.#context.network.remove(id);
    await this.#publisher.request();
  }

  connect(id: string, endpoint: EndpointConfig): Promise<void> {
    return this.#queue.run(id, async () => {
      await connectContainer(this.#context, id, endpoint);
      await this.#publisher.request();
    });
  }

  disconnect(id: string, networkId: string): Promise<void> {
    return this.#queue.run(id, async () => {
      await disconnectContainer(this.#context, id, networkId);
      await this.#publisher.request();
    });
  }

  restart(id: string, options: StopOptions = {}): Promise<void> {
    this.#context.store.require(id);
    return this.#queue.run(id, async () => {
      await this.#stopNow(id, options);
      await this.#startNow(id, 'asked');
    });
  }

  pause(id: string, { momentary = false }: { momentary?: boolean } = {}): Promise<void> {
    return this.#whilePausing(id, () => pauseContainer(this.#context, id, momentary));
  }

  unpause(id: string): Promise<void> {
    return this.#whilePausing(id, () => unpauseContainer(this.#context, id));
  }

  /** Its health checks go on unless it is paused then. */
  #whilePausing(id: string, operation: () => Promise<void>): Promise<void> {
    this.#context.store.require(id);
    return this.#queue.run(id, async () => {
      try {
        await operation();
      } finally {
        const entry = this.#context.live.get(id);
        if (entry !== undefined) this.#health.watch(id, entry);
      }
    });
  }

  update(id: string, update: ContainerUpdate): Promise<void> {
    this.#context.store.require(id);
    return this.#queue.run(id, () => updateContainer(this.#context, id, update));
  }

  async resize(id: string, size: { columns: number; rows: number }): Promise<void> {
    const record = this.#context.store.require(id);
    const entry = this.#context.live.get(id);
    if (entry === undefined) throw notRunning(record);
    await entry.shim.resize(size);
  }

  find(reference: string): ContainerRecord | undefined {
    const record = this.#context.store.find(reference);
    return record && toRecord(record);
  }

  list(): readonly ContainerRecord[] {
    return this.#context.store.list().map(toRecord);
  }

  onChange(listener: ContainerListener): Disposable {
    return this.#context.store.onChange(listener);
  }

  onProbe(listener: ProbeListener): Disposable {
    return this.#health.onProbe(listener);
  }

  /** Waits for operations under way and lets go of the containers, which run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#timers[Symbol.dispose]();
    this.#records[Symbol.dispose]();
    this.#imageGuard[Symbol.dispose]();
    await this.#logging[Symbol.asyncDispose]();
    await this.#queue.idle();
    for (const id of this.#context.live.keys()) await disconnect(this.#context, id);
    await this.#publisher[Symbol.asyncDispose]();
  }

  async #startNow(id: string, cause: 'asked' | 'policy'): Promise<void> {
    try {
      const entry = await startContainer(this.#context, id, cause, this.#onExit);
      if (entry !== undefined) this.#health.watch(id, entry);
      this.#logging.follow(id);
    } finally {
      await this.#publisher.request();
    }
  }

  async #stopNow(id: string, options: StopOptions): Promise<void> {
    await stopContainer(this.#context, id, options, () => this.#publisher.request());
  }

  /** A record says that it has ended before this begins: who waits for its exit code has it. */
  #autoRemove({ id, state, error, config }: StoredContainer): void {
    if (!isOver({ state, error }) || config.autoRemove !== true) return;
    this.#inBackground(id, async () => {
      const record = this.#context.store.get(id);
      if (record !== undefined && isOver(record)) await removeContainer(this.#context, id, {});
    });
  }

  async #restart(id: string): Promise<void> {
    const { store } = this.#context;
    const record = store.get(id);
    if (record?.state !== 'restarting') return;
    try {
      await this.#startNow(id, 'policy');
    } catch (error) {
      // Not even the attempt could be recorded, so no change of the record has set the timer again.
      if (store.get(id) === record) this.#timers.retry(id, settleRetryMs);
      throw error;
    }
  }

  readonly #onExit = (id: string, entry: LiveContainer | undefined, end: RunEnd): void => {
    this.#inBackground(id, async () => {
      if (this.#context.live.get(id) !== entry) return; // settled by the operation that ended it
      if (entry === undefined && this.#context.store.get(id)?.state !== 'starting') return;
      try {
        await settleRun(this.#context, id, end);
      } catch (error) {
        setTimeout(this.#onExit, settleRetryMs, id, entry, end).unref();
        throw error;
      }
      await this.#publisher.request();
    });
  };

  /** An operation that nobody waits for: its failure is in the record where it concerns one, and in the log. */
  #inBackground(id: string, operation: () => Promise<void>): void {
    if (this.#disposed) return;
    this.#queue
      .run(id, operation)
      .catch((error: unknown) => this.#context.log('error', `Container ${id.slice(0, 12)}: ${errorText(error)}`));
  }
}

/** It has ended, or its only start has failed. */
function isOver({ state, error }: Pick<StoredContainer, 'state' | 'error'>): boolean {
  return state === 'exited' || (state === 'created' && error !== '');
}
