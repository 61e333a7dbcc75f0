import { join } from 'node:path';
import type { ContainerFiles } from '../archive/container-files.ts';
import type { ImageStore } from '../image/store.ts';
import type { Launcher, Shim } from '../launcher/launcher.ts';
import type { NetworkNames } from '../network/name-table.ts';
import type { Network } from '../network/network.ts';
import type { CgroupTree } from '../os/cgroup.ts';
import type { Architecture } from '../security/seccomp-rules.ts';
import type { StorageDriver } from '../storage/storage-driver.ts';
import type { Volumes } from '../volume/volumes.ts';
import type { Attachments } from './attachments.ts';
import type { IsolationDefaults } from './isolation-defaults.ts';
import type { HealthMonitor } from './health.ts';
import { containerPaths, type ContainerPaths } from './paths.ts';
import type { Reservations } from './reservations.ts';
import type { ContainerStore } from './state.ts';

/** Milliseconds since the Unix epoch. */
export type Clock = () => number;

export type EngineLog = (level: 'info' | 'warn' | 'error', message: string) => void;

/** A container whose process runs and whose shim we are connected to. */
export interface LiveContainer {
  readonly shim: Shim;
  health: HealthMonitor | undefined;
  /** Tells of processes that were killed for want of memory, while it runs on. */
  oom?: Disposable;
}

/** Takes the complete table of names, whenever it has changed. */
export interface NameSink {
  update(networks: readonly NetworkNames[]): Promise<void>;
}

/** What the engine is given to work with: the other rooms of one data root. */
export interface EngineDependencies {
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

/** What the engine's operations work with. */
export interface EngineContext extends EngineDependencies {
  readonly store: ContainerStore;
  readonly architecture: Architecture;
  /** Kernel release as uname prints it. */
  readonly kernel: string;
  /** Paths that are masked in containers because this host has them. */
  readonly hostMaskedPaths: readonly string[];
  readonly live: Map<string, LiveContainer>;
  readonly attachments: Attachments;
  /** Of the containers that run. */
  readonly reservations: Reservations;
}

export function pathsOf(context: Pick<EngineContext, 'directory'>, id: string): ContainerPaths {
  return containerPaths(context.directory, id);
}

/** The container's cgroup as a directory of the host. */
export function cgroupDirectory(context: Pick<EngineContext, 'cgroup' | 'store'>, id: string): string {
  return join(context.cgroup.mountPoint, cgroupPath(context, id));
}

/** The container's cgroup in the hierarchy: below the runner's subtree, in the parent that its config names. */
export function cgroupPath({ cgroup, store }: Pick<EngineContext, 'cgroup' | 'store'>, id: string): string {
  return join(cgroup.path, store.get(id)?.config.cgroupParent ?? '', id);
}
