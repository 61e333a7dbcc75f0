import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { ContainerFiles } from '../archive/container-files.ts';
import type { ImageStore } from '../image/store.ts';
import type { Launcher } from '../launcher/launcher.ts';
import type { Network } from '../network/network.ts';
import type { CgroupTree } from '../os/cgroup.ts';
import { hostArchitecture } from '../os/facts.ts';
import { thermalThrottlePath } from '../security/paths.ts';
import type { StorageDriver } from '../storage/storage-driver.ts';
import type { Volumes } from '../volume/volumes.ts';
import { Attachments } from './attachments.ts';
import { ContainerEngine } from './container-engine.ts';
import type { ContainerControl } from './control.ts';
import type { Engine } from './engine.ts';
import type { Clock, EngineLog, NameSink } from './engine-context.ts';
import type { IsolationDefaults } from './isolation-defaults.ts';
import { Reservations } from './reservations.ts';
import { ContainerStore } from './state.ts';

export interface EngineOptions {
  readonly database: DatabaseSync;
  readonly images: ImageStore;
  readonly network: Network;
  /** Answers names on user-defined networks; absent: nobody does. */
  readonly resolver?: NameSink;
  readonly launcher: Launcher;
  readonly volumes: Volumes;
  readonly storage: StorageDriver;
  readonly files: Pick<ContainerFiles, 'copyOut'>;
  /** The data root's `containers` directory; made when it is not there. */
  readonly directory: string;
  /** The runner's subtree (`prepareCgroupTree`). */
  readonly cgroup: CgroupTree;
  readonly isolation: IsolationDefaults;
  readonly clock: Clock;
  readonly log: EngineLog;
}

/**
 * The engine of one data root. When it resolves, records and kernel agree: what an earlier runner left running is
 * adopted, what it left half done is finished or undone.
 *
 * Disposing it leaves the containers running.
 */
export async function createEngine(options: EngineOptions): Promise<Engine & ContainerControl & AsyncDisposable> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const engine = new ContainerEngine(
    {
      ...options,
      store: new ContainerStore(options.database),
      architecture: hostArchitecture(),
      kernel: release(),
      hostMaskedPaths: cpus()
        .map((_, cpu) => thermalThrottlePath(cpu))
        .filter((path) => existsSync(path)),
      live: new Map(),
      attachments: new Attachments(),
      reservations: new Reservations(join(options.cgroup.mountPoint, options.cgroup.path), (text) =>
        options.log('warn', text),
      ),
    },
    options.database,
  );
  await engine.recover();
  return engine;
}
