import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where a container's files are; all beneath `directory`. */
export interface ContainerPaths {
  readonly directory: string;
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
  /** The digests of what was written there last, by which one that the container has changed is known. */
  readonly resolvConfDigests: string;
  /** What its health checks told last. */
  readonly health: string;
  /** Where /dev/shm is mounted when it is shared. */
  readonly shm: string;
  /** The launcher's: shim socket, log, exit.json. */
  readonly state: string;
}

/** @param root the data root's `containers` directory */
export function containerPaths(root: string, id: string): ContainerPaths {
  const directory = join(root, id);
  return {
    directory,
    hostname: join(directory, 'hostname'),
    hosts: join(directory, 'hosts'),
    resolvConf: join(directory, 'resolv.conf'),
    resolvConfDigests: join(directory, 'resolv.conf.digests'),
    health: join(directory, 'health.json'),
    shm: join(directory, 'shm'),
    state: join(directory, 'state'),
  };
}

/**
 * Makes a container's directories but for its root, or what is missing of them. Synchronous, as is all that touches a container's few
 * small files at its start: each call takes microseconds, its way through the thread pool many times that.
 */
export function makeContainerDirectories(paths: ContainerPaths): void {
  for (const path of [paths.directory, paths.state]) mkdirSync(path, { recursive: true, mode: 0o700 });
}
