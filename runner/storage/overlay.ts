import { chmodSync, mkdirSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerFiles } from '../archive/container-files.ts';
import { treeBytes } from '../os/tree-bytes.ts';
import type { RootFilesystem } from '../os/root-filesystem.ts';
import { MAX_CHANGES, type RootChange, type StorageDriver } from './storage-driver.ts';

/** What a container writes goes into a directory of its own, over its image's layers as they are. */
export function overlayDriver(options: {
  readonly files: Pick<ContainerFiles, 'readChanges'>;
  /** What dockerd calls the data root's file system. */
  readonly backing: string;
}): StorageDriver {
  const upperOf = (directory: string): string => join(directory, 'upper');
  const workOf = (directory: string): string => join(directory, 'work');
  const root = (directory: string, lower: readonly string[]): RootFilesystem => ({
    kind: 'overlay',
    lower,
    upper: upperOf(directory),
    work: workOf(directory),
  });
  return {
    name: 'overlay',
    root,
    // Synchronous, as is all that touches a container's few small files at its start.
    prepare(directory, layers) {
      mkdirSync(workOf(directory), { recursive: true, mode: 0o700 });
      mkdirSync(upperOf(directory), { recursive: true });
      // The upper directory's mode is that of the container's root, which every user must be able to pass.
      chmodSync(upperOf(directory), 0o755);
      return Promise.resolve(root(directory, layers));
    },
    changes: (directory, layers) => upperChanges(upperOf(directory), layers),
    readChanges: (directory, _layers, how) => options.files.readChanges(upperOf(directory), how),
    writtenBytes: (directory) => treeBytes(upperOf(directory)),
    remove: () => Promise.resolve(), // with the container's directory
    keepOnly: () => Promise.resolve(),
    status: [
      ['Backing Filesystem', options.backing],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'true'],
      ['userxattr', 'false'],
    ],
    graphData(directory, layers) {
      const lower = { LowerDir: layers.toReversed().join(':') };
      if (directory === undefined) return lower;
      return { ...lower, UpperDir: upperOf(directory), WorkDir: workOf(directory) };
    },
  };
}

/** The upper directory against the image's layers. */
async function upperChanges(upper: string, layers: readonly string[]): Promise<readonly RootChange[]> {
  const changes: RootChange[] = [];
  const waiting = [''];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of await readdir(join(upper, directory), { withFileTypes: true }).catch(() => [])) {
      const path = `${directory}/${entry.name}`;
      const status = await lstat(join(upper, path)).catch(() => undefined);
      if (status === undefined || changes.length >= MAX_CHANGES) continue;
      const deleted = status.isCharacterDevice() && status.rdev === 0;
      const sizeBytes = status.isFile() ? status.size : 0;
      if (deleted) changes.push({ kind: 'deleted', path, sizeBytes: 0 });
      else changes.push({ kind: (await isBelow(layers, path)) ? 'modified' : 'added', path, sizeBytes });
      if (entry.isDirectory()) waiting.push(path);
    }
  }
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function isBelow(layers: readonly string[], path: string): Promise<boolean> {
  for (const layer of layers.toReversed()) {
    const status = await lstat(join(layer, path)).catch(() => undefined);
    if (status !== undefined) return !(status.isCharacterDevice() && status.rdev === 0);
  }
  return false;
}
