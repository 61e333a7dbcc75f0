import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno, removeTree } from '../os/files.ts';
import {
  completeRoot,
  exists,
  layOver,
  markMade,
  readTreeChanges,
  rootPath,
  runFiles,
  treeChanges,
  treeWrittenBytes,
} from './complete-root.ts';
import type { StorageDriver } from './storage-driver.ts';

/** Names a chain of layers, each of them the directory that an image store has for a diffID (`layers/<hex>/diff`). */
function chainName(layers: readonly string[]): string {
  const hash = createHash('sha256');
  for (const layer of layers) hash.update(`${basename(dirname(layer))}\n`);
  return hash.digest('hex');
}

/** An image's chain, and those that it stands on. */
function chainNames(layers: readonly string[]): readonly string[] {
  return layers.map((_, index) => chainName(layers.slice(0, index + 1)));
}

/** Removes chains that are not to be kept, and what a crash has left of the making of others. */
export async function removeChains(binary: string, chains: string, kept: () => ReadonlySet<string>): Promise<void> {
  const names = await readdir(chains).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  });
  const wanted = kept();
  for (const name of names) if (!wanted.has(name)) await runFiles(binary, chains, ['subvolume', 'remove', name]);
}

/**
 * Upon btrfs: each chain of layers is a read-only subvolume, made once, from a snapshot of the chain below it; a
 * container's root is a snapshot of its image's chain.
 *
 * Invariants: a chain is filled under another name, and appears, sealed, by one snapshot; so does a root. Chains are made,
 * used and removed in one queue, so that none goes between its making and its use.
 */
export function btrfsDriver(options: {
  readonly binary: string;
  /** Where the chains are: a directory on the data root's file system. */
  readonly chains: string;
}): StorageDriver {
  const { binary, chains } = options;
  let last: Promise<unknown> = Promise.resolve();
  const inQueue = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work);
    last = done.catch(() => undefined);
    return done;
  };
  const subvolume = (directory: string, ...argv: readonly string[]): Promise<void> =>
    runFiles(binary, directory, ['subvolume', ...argv]);

  /** @returns the path of the layers' chain */
  async function ensureChain(layers: readonly string[]): Promise<string> {
    const path = join(chains, chainName(layers));
    if (await exists(path)) return path;
    const below = layers.length > 1 ? await ensureChain(layers.slice(0, -1)) : undefined;
    const half = `tmp-${randomBytes(8).toString('hex')}`;
    await subvolume(chains, ...(below === undefined ? ['make', half] : ['snapshot', below, half]));
    try {
      const top = layers.at(-1);
      if (top !== undefined) await layOver(binary, top, join(chains, half));
      await subvolume(chains, 'seal', join(chains, half), basename(path));
    } finally {
      await subvolume(chains, 'remove', half);
    }
    return path;
  }

  return {
    name: 'btrfs',
    root: completeRoot,
    async prepare(directory, layers) {
      if (await exists(rootPath(directory))) return completeRoot(directory);
      await inQueue(async () => {
        await mkdir(chains, { recursive: true, mode: 0o700 });
        const chain = await ensureChain(layers);
        await subvolume(directory, 'snapshot', chain, basename(rootPath(directory)));
      });
      await markMade(directory);
      return completeRoot(directory);
    },
    changes: (directory, layers) => treeChanges(binary, directory, layers),
    readChanges: (directory, layers, how) => readTreeChanges(binary, directory, layers, how),
    writtenBytes: (directory, layers) => treeWrittenBytes(binary, directory, layers),
    async remove(directory) {
      const path = rootPath(directory);
      if (!(await exists(path))) return;
      // With subvolumes of the container's own in it, it goes like any tree: what rmdir finds empty it removes.
      await subvolume(directory, 'remove', basename(path)).catch(() => removeTree(path));
    },
    keepOnly: (images) => inQueue(() => removeChains(binary, chains, () => new Set(images().flatMap(chainNames)))),
    status: [['Btrfs', '']],
    graphData: () => null,
  };
}
