import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '#shared/errors.ts';
import type { ContainerFiles } from './archive/container-files.ts';
import { createContainerFiles } from './archive/local-container-files.ts';
import type { ContainerControl } from './container/control.ts';
import { createEngine } from './container/create-engine.ts';
import type { Engine } from './container/engine.ts';
import type { IsolationDefaults } from './container/isolation-defaults.ts';
import { instanceId } from './database.ts';
import type { ImageCatalog } from './image/catalog.ts';
import { createImageStore } from './image/local-store.ts';
import type { ImageStore } from './image/store.ts';
import { createLauncher } from './launcher/client.ts';
import type { Log, LogLevel } from './log.ts';
import { createNetwork, removeNetwork } from './network/bridge-network.ts';
import { Resolver } from './network/names/resolver.ts';
import type { Network } from './network/network.ts';
import type { DriverName } from './storage/driver-name.ts';
import { openStorage, type Storage } from './storage/open-storage.ts';
import { Volumes } from './volume/volumes.ts';
import { NftSession } from './network/nft.ts';
import { prepareCgroupTree, removeCgroup, type CgroupTree } from './os/cgroup.ts';
import { findRuntimes, type RuntimeOptions } from './container/runtime-programs.ts';
import { securityFacts } from './os/security-facts.ts';
import { idMappingsOf } from './os/subordinate-ids.ts';
import type { RunnerDatabase } from './runner-database.ts';

export interface EngineOfDataRoot {
  readonly dataRoot: string;
  readonly database: RunnerDatabase;
  /** Unix milliseconds. */
  readonly clock: () => number;
  readonly log: Log;
  /** What is done for containers that say nothing of it. */
  readonly containers?: ContainerDefaults;
  /** `--storage-driver`; absent: the data root's, or the best that works. */
  readonly storageDriver?: DriverName | undefined;
}

/** Options of the runner that concern every container. */
export interface ContainerDefaults {
  /** As `--userns-remap` has it: every container gets a user namespace. */
  readonly usernsRemap?: string;
  /** Every container runs under an init. */
  readonly init?: boolean;
  /** Beside the usual ones that are installed. */
  readonly runtimes?: RuntimeOptions;
}

/** A data root's container engine and what it stands on. Disposing it leaves the containers running. */
export interface EngineParts extends AsyncDisposable {
  /** `instanceId` of the data root. */
  readonly instance: string;
  readonly cgroup: CgroupTree;
  readonly images: ImageStore & ImageCatalog;
  readonly network: Network;
  readonly files: ContainerFiles;
  readonly engine: Engine & ContainerControl;
  readonly volumes: Volumes;
  readonly storage: Storage;
  /** Where containers have their directories. */
  readonly directory: string;
  readonly isolation: IsolationDefaults;
  /**
   * Disposes it, and takes away what it has outside of its data root: bridge, nftables table and cgroups, with every
   * process that is in these. After the last container was removed; idempotent.
   */
  removeTraces(): Promise<void>;
}

/**
 * Opens the parts in the order of their dependence. The engine's containers are found again.
 *
 * @throws BerthError `runner.binary-missing`, and what the parts throw
 */
export async function openEngine({
  dataRoot,
  database,
  clock,
  log,
  containers = {},
  storageDriver,
}: EngineOfDataRoot): Promise<EngineParts> {
  await using lower = new AsyncDisposableStack();
  await using upper = new AsyncDisposableStack();
  const instance = instanceId(database);
  const cgroup = await prepareCgroupTree(instance);
  const launcher = lower.use(
    await createLauncher({
      binary: await binary('berth-launcher'),
      cgroupRoot: cgroup.mountPoint,
      shimCgroup: join(cgroup.mountPoint, cgroup.path, 'shims'),
      cacheDirectory: join(dataRoot, 'cache'),
      controllers: cgroup.controllers,
      cgroupFiles: cgroup.files,
      onWarning: (container, text) => log.warn(text, { container }),
    }),
  );
  const unpackBinary = await binary('berth-unpack');
  const images = await createImageStore({ database, directory: join(dataRoot, 'images'), unpackBinary });
  const filesBinary = await binary('berth-files');
  const files = createContainerFiles(filesBinary);
  const storage = lower.use(
    await openStorage({
      dataRoot,
      database,
      binary: filesBinary,
      unpackBinary,
      files,
      images,
      wanted: storageDriver,
      log,
    }),
  );
  const nft = upper.use(new NftSession());
  const network = upper.use(
    await createNetwork({ database, launcher, nft, instance, clock, onWarning: (text) => log.warn(text) }),
  );
  const directory = join(dataRoot, 'containers');
  const tell = (level: LogLevel, message: string) => log[level](message);
  const volumes = await Volumes.open({ database, directory: join(dataRoot, 'volumes'), clock, log: tell });
  const isolation = await isolationDefaults(containers);
  const resolver = upper.use(new Resolver({ instance, nft, onWarning: (text) => log.warn(text) }));
  const engine = upper.use(
    await createEngine({
      database,
      images,
      network,
      resolver,
      launcher,
      volumes,
      storage: storage.driver,
      files,
      directory,
      cgroup,
      isolation,
      clock,
      log: tell,
    }),
  );
  const base = lower.move();
  const top = upper.move();
  const dispose = async (): Promise<void> => {
    await using _ = base; // also when the upper parts fail to end
    await top.disposeAsync();
  };
  return {
    instance,
    cgroup,
    images,
    network,
    files,
    engine,
    volumes,
    storage,
    directory,
    isolation,
    async removeTraces() {
      await top.disposeAsync();
      await volumes.unmountAll();
      await storage.removeTraces();
      await removeNetwork({ launcher, instance, database });
      await base.disposeAsync();
      await removeCgroup(cgroup.mountPoint + cgroup.path);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** @throws BerthError `runner.binary-missing`, `runner.userns-remap`, `runner.runtime` */
async function isolationDefaults({ usernsRemap, init, runtimes }: ContainerDefaults): Promise<IsolationDefaults> {
  return {
    facts: securityFacts(),
    idMappings: idMappingsOf(usernsRemap ?? 'default'),
    remapsAll: usernsRemap !== undefined,
    initPath: await binary('berth-init'),
    init: init ?? false,
    runtimes: await findRuntimes(runtimes ?? { configured: [] }),
  };
}

/** The path of one of our C programs, built beside the code. */
async function binary(name: string): Promise<string> {
  const path = join(import.meta.dirname, '..', 'build', 'bin', name);
  try {
    await access(path, constants.X_OK);
    return path;
  } catch (cause) {
    throw new BerthError('unavailable', 'runner.binary-missing', `The program ${path} is not there`, {
      cause,
      remedy: 'Build it: make',
    });
  }
}
