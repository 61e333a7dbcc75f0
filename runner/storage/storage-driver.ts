import type { Readable } from 'node:stream';
import type { RootFilesystem } from '../os/root-filesystem.ts';
import type { DriverName } from './driver-name.ts';

/** One path that a container has changed upon its image; absolute in the container. */
export interface RootChange {
  readonly kind: 'modified' | 'added' | 'deleted';
  readonly path: string;
  /** Of a regular file that is there; else 0. */
  readonly sizeBytes: number;
}

/** Longest list that is told. */
export const MAX_CHANGES = 200_000;

/**
 * How containers get roots of their own upon an image's layers. Every operation is idempotent and may follow a crash of
 * itself. One driver a data root, chosen when that is made (`storage` of the table `meta`).
 *
 * `directory` is the container's own (`ContainerPaths.directory`), `layers` are directories of its image's layers, lowest
 * first, with whiteouts as overlayfs has them.
 */
export interface StorageDriver {
  readonly name: DriverName;
  /** Where the container's root is, whether it has been made or not. */
  root(directory: string, layers: readonly string[]): RootFilesystem;
  /** Makes it when it is not there: whole, or not at all. */
  prepare(directory: string, layers: readonly string[]): Promise<RootFilesystem>;
  /** What the container has changed, sorted by path. */
  changes(directory: string, layers: readonly string[]): Promise<readonly RootChange[]>;
  /** The same as the tar of a layer (OCI image-spec, layer.md), without `skipped` paths (no leading slash). */
  readChanges(
    directory: string,
    layers: readonly string[],
    options: { readonly skipped: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<Readable>;
  /** Content of the files that the container has written, in bytes. */
  writtenBytes(directory: string, layers: readonly string[]): Promise<number>;
  /** Takes the root away; what remains of `directory` is the caller's. */
  remove(directory: string): Promise<void>;
  /** Takes away what was made beforehand for other images than these (their layers). */
  keepOnly(images: () => readonly (readonly string[])[]): Promise<void>;
  /** DriverStatus of the Docker API. */
  readonly status: readonly (readonly [string, string])[] | null;
  /** GraphDriver.Data of the Docker API; without a directory that of the image. */
  graphData(directory: string | undefined, layers: readonly string[]): Readonly<Record<string, string>> | null;
}
