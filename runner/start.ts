import { BerthError } from '#shared/errors.ts';
import { readIdentity, type Identity } from './agent/identity.ts';
import type { LogConfig } from './container/log-config.ts';
import { openDataRoot } from './data-root.ts';
import { instanceId, rememberSocket } from './database.ts';
import { serveDockerApi } from './docker-api/server.ts';
import { openEngine, type ContainerDefaults } from './engine-parts.ts';
import type { Log, LogLevel } from './log.ts';
import { hostFacts } from './os/facts.ts';
import { createReconciler } from './reconcile/loop.ts';
import type { DriverName } from './storage/driver-name.ts';

export interface RunnerOptions {
  readonly dataRoot: string;
  readonly socketPath: string;
  readonly standalone: boolean;
  /** The log of containers whose creation says nothing of it; absent: Docker's default. */
  readonly containerLog?: LogConfig;
  readonly log: Log;
  readonly containers?: ContainerDefaults;
  readonly storageDriver?: DriverName | undefined;
}

/** A runner whose containers are found again and whose socket answers. Disposing it leaves the containers running. */
export interface Runner extends AsyncDisposable {
  /** As the cluster calls it; the machine's own name without one. */
  readonly hostName: string;
  /** Reconciles, and talks to the control plane, until `signal` aborts. Rejects for a fault of the runner itself. */
  run(options: { signal: AbortSignal }): Promise<void>;
}

/**
 * Starts the parts in the order of their dependence; they are stopped in the opposite one.
 *
 * @throws BerthError `runner.not-joined`, `runner.binary-missing`, and what the parts throw
 */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const { dataRoot: path, socketPath, standalone, containerLog, log, containers = {}, storageDriver } = options;
  await using parts = new AsyncDisposableStack();
  const { database } = parts.use(await openDataRoot(path));
  const identity = standalone ? undefined : await joinedIdentity(path);
  const instance = instanceId(database);
  const tell = (level: LogLevel, message: string) => log[level](message);
  const clock = Date.now;

  const { cgroup, images, files, engine, network, volumes, storage, directory, isolation } = parts.use(
    await openEngine({ dataRoot: path, database, clock, log, containers, storageDriver }),
  );
  const facts = await hostFacts(cgroup.controllers);
  const reconciler = await createReconciler({ database, engine, images, clock, log: tell });
  const view = () => ({
    facts,
    instance,
    dataRoot: path,
    get containers() {
      return engine.list();
    },
    get imageCount() {
      return images.list().length;
    },
    isolation: {
      apparmorProfiles: isolation.facts.apparmorProfiles,
      remapsAll: isolation.remapsAll,
      runtimes: isolation.runtimes,
    },
    storage: { driver: storage.driver, warnings: storage.warnings },
    now: clock(),
    ...(containerLog === undefined ? {} : { logDriver: containerLog.driver }),
  });
  const host = {
    view,
    engine,
    images,
    volumes,
    storage: storage.driver,
    network,
    files,
    containersDirectory: directory,
    cgroupDirectory: cgroup.mountPoint + cgroup.path,
    isolation: {
      ...isolation.facts,
      remapsAll: isolation.remapsAll,
      runtimes: isolation.runtimes,
      containerId: (reference: string) => engine.find(reference)?.id,
    },
    clock,
    log: containerLog,
  };
  rememberSocket(database, socketPath);
  parts.use(await serveDockerApi({ socketPath, host }));

  const started = parts.move();
  return {
    hostName: identity?.name ?? facts.hostname,
    async run({ signal }) {
      // A fault in one of the two stops the other, and then the runner.
      const fault = new AbortController();
      const both = { signal: AbortSignal.any([signal, fault.signal]) };
      // Loaded when it is needed: it and its WebSockets are 5 MB, which a runner without a cluster does not have.
      const runAgent = identity && (await import('./agent/agent.ts')).runAgent;
      const agent = identity && { identity, facts, database, engine, images, reconciler, log };
      const work = [reconciler.run(both), ...(runAgent && agent ? [runAgent(agent, both)] : [])];
      const stopOthers = (error: unknown) => {
        fault.abort();
        throw error;
      };
      const ends = await Promise.allSettled(work.map((one) => one.catch(stopOthers)));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

async function joinedIdentity(dataRoot: string): Promise<Identity> {
  const identity = await readIdentity(dataRoot);
  if (identity?.state === 'joined') return identity;
  throw new BerthError('invalid', 'runner.not-joined', `The data root ${dataRoot} belongs to no cluster`, {
    remedy: 'Join one first: berth runner join URL --token T; or run alone: berth runner --standalone',
  });
}
