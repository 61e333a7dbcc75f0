import type { ContainerFiles } from '../archive/container-files.ts';
import type { LogConfig } from '../container/log-config.ts';
import type { ContainerControl } from '../container/control.ts';
import type { Engine } from '../container/engine.ts';
import type { ImageCatalog } from '../image/catalog.ts';
import type { ImageStore } from '../image/store.ts';
import type { StorageDriver } from '../storage/storage-driver.ts';
import type { VolumeControl } from '../volume/volumes.ts';
import type { EventLog } from './event-log.ts';
import type { ExecRegistry } from './exec-registry.ts';
import type { StatsReaders } from './stats-readers.ts';
import type { NetworkView } from './translate/container-network.ts';
import type { IsolationHost } from './translate/create/isolation.ts';
import type { HostView } from './translate/host.ts';

/** What of a host the Docker API is served from. */
export interface DockerApiHost {
  /** The host as it is now. */
  readonly view: () => HostView;
  readonly engine: Engine & ContainerControl;
  readonly images: ImageStore & ImageCatalog;
  readonly network: NetworkView;
  readonly volumes: VolumeControl;
  readonly storage: StorageDriver;
  readonly files: ContainerFiles;
  /** The data root's `containers` directory. */
  readonly containersDirectory: string;
  /** A container's cgroup is the directory of its id in this one. */
  readonly cgroupDirectory: string;
  readonly isolation: IsolationHost;
  readonly clock: () => number;
  /** The log of containers whose creation says nothing of it; absent: Docker's default. */
  readonly log?: LogConfig | undefined;
}

/** The same with what the API itself remembers. */
export interface DockerApiContext extends DockerApiHost {
  readonly events: EventLog;
  readonly execs: ExecRegistry;
  readonly stats: StatsReaders;
}
