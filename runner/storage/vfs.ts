import { mkdir, rename } from 'node:fs/promises';
import { syncFileSystem } from '../image/unpack.ts';
import { removeTree } from '../os/files.ts';
import {
  completeRoot,
  exists,
  layOver,
  markMade,
  readTreeChanges,
  rootPath,
  treeChanges,
  treeWrittenBytes,
} from './complete-root.ts';
import type { StorageDriver } from './storage-driver.ts';

/**
 * Every container has a complete copy of its image: it needs nothing of the kernel or the file system, and costs the time
 * and the space of the whole image. A copy is made under another name and renamed when it is whole.
 */
export function vfsDriver(options: {
  /** berth-files and berth-unpack. */
  readonly binary: string;
  readonly unpackBinary: string;
}): StorageDriver {
  const { binary, unpackBinary } = options;
  return {
    name: 'vfs',
    root: completeRoot,
    async prepare(directory, layers) {
      const path = rootPath(directory);
      if (await exists(path)) return completeRoot(directory);
      const half = `${path}.tmp`;
      await removeTree(half);
      await mkdir(half, { recursive: true, mode: 0o755 });
      for (const layer of layers) await layOver(binary, layer, half);
      await syncFileSystem(unpackBinary, half); // a power cut leaves none that is there by name alone
      await rename(half, path);
      await markMade(directory);
      return completeRoot(directory);
    },
    changes: (directory, layers) => treeChanges(binary, directory, layers),
    readChanges: (directory, layers, options) => readTreeChanges(binary, directory, layers, options),
    writtenBytes: (directory, layers) => treeWrittenBytes(binary, directory, layers),
    remove: () => Promise.resolve(), // with the container's directory
    keepOnly: () => Promise.resolve(),
    status: null,
    graphData: () => null,
  };
}
