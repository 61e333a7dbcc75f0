import type { RootFilesystem } from './root-filesystem.ts';

/** One path that a container has changed upon its image; absolute in the container. */
export interface RootChange {
  readonly kind: 'modified' | 'added' | 'deleted';
  readonly path: string;
}

/**
 * How containers get roots of their own upon an image's layers. Every operation is idempotent and may follow a crash of
 * itself. One driver a data root, chosen when that is made (`storage` of the table `meta`).
 */
export interface StorageDriver {
  /** Docker's names, but for `overlay`, which the Docker API tells as `overlay2`. */
  readonly name: 'overlay' | 'vfs' | 'btrfs';
  /**
   * The root of a container, made when it is not there.
   *
   * @param directory the container's own (`ContainerPaths.directory`)
   * @param layers directories of the image's layers, lowest first
   */
  prepare(directory: string, layers: readonly string[]): Promise<RootFilesystem>;
  /** What the container has changed, sorted by path. */
  changes(directory: string, layers: readonly string[]): Promise<readonly RootChange[]>;
  /** Takes the root away; what remains of `directory` is the caller's. */
  remove(directory: string): Promise<void>;
}
