import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Digest } from '#shared/digest.ts';

/** What is kept about a layer beside its tree (`layers/<hex>/layer.json`). */
const layerRecord = z.object({
  /** Sum of its files' contents. */
  contentBytes: z.int(),
  /** It hides everything below it: overlayfs ignores the mark on a root, so the layers below are left out instead. */
  opaqueRoot: z.boolean(),
  /** Length of its tar, where that can be made again: `recipe` beside the tree says how. */
  tarBytes: z.int().optional(),
});
export type LayerRecord = z.infer<typeof layerRecord>;

/** A directory of this load's own, removed on dispose. */
export interface StagingDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Layers that are not collected until this is disposed, whether they are there yet or not. */
export interface PinnedLayers extends Disposable {
  /**
   * Resolves when the layer is there; `unpackInto` is called to make it if nobody is making it already, and must verify
   * that what it wrote has this diffID, which must be one of the pinned.
   */
  ensure(diffId: Digest, unpackInto: (tree: string) => Promise<LayerRecord>): Promise<LayerRecord>;
}

/** The unpacked layers of one host, named by diffID. */
export interface LayerStore {
  /** Makes a temp directory on the layers' own file system, so that a finished layer is renamed into place. */
  stage(): Promise<StagingDirectory>;
  /** Undefined when the layer is not there. */
  find(diffId: Digest): LayerRecord | undefined;
  /** The root of its tree. */
  treeDirectory(diffId: Digest): string;
  /** How its tar is made again from the tree. */
  recipePath(diffId: Digest): string;
  pin(diffIds: readonly Digest[]): PinnedLayers;
  /** Removes every layer that is neither pinned nor among `referenced()`, which is asked at the moment of deciding. */
  collect(referenced: () => ReadonlySet<string>): Promise<void>;
}

/** Where the recipe of a tree is, also of one that is being made. */
export function recipeOfTree(tree: string): string {
  return join(dirname(tree), 'recipe.gz');
}

function hexOf(diffId: Digest): string {
  return diffId.slice('sha256:'.length);
}

/** Node's own retries cover an unpacker of a killed runner that is just dying. */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/**
 * Opens the layers beneath `directory` and removes what an earlier process left half done.
 *
 * Invariants: `layers/<hex>` is whole and verified, for it appears by one rename. Anything in `tmp/` belongs to an
 * operation of this process; what was there before it began is garbage. Checks and renames that decide a layer's fate are
 * synchronous, so that a pin and a collection never interleave.
 */
export async function openLayerStore(directory: string): Promise<LayerStore> {
  const layersDirectory = join(directory, 'layers');
  const stagingDirectory = join(directory, 'tmp');
  await removeTree(stagingDirectory);
  await mkdir(layersDirectory, { recursive: true, mode: 0o700 });
  await mkdir(stagingDirectory, { recursive: true, mode: 0o700 });

  const known = new Map<string, LayerRecord>();
  const pins = new Map<string, number>();
  const making = new Map<string, Promise<LayerRecord>>();

  const layerPath = (hex: string): string => join(layersDirectory, hex);

  function find(diffId: Digest): LayerRecord | undefined {
    const hex = hexOf(diffId);
    const cached = known.get(hex);
    if (cached !== undefined) return cached;
    const path = join(layerPath(hex), 'layer.json');
    if (!existsSync(path)) return undefined;
    const record = layerRecord.parse(JSON.parse(readFileSync(path, 'utf8')));
    known.set(hex, record);
    return record;
  }

  async function stage(): Promise<StagingDirectory> {
    const path = await mkdtemp(join(stagingDirectory, 'load-'));
    return { path, [Symbol.asyncDispose]: () => removeTree(path) };
  }

  async function make(hex: string, unpackInto: (tree: string) => Promise<LayerRecord>): Promise<LayerRecord> {
    await using staging = await stage();
    const layer = join(staging.path, 'layer');
    await mkdir(join(layer, 'diff'), { recursive: true, mode: 0o755 });
    const record = await unpackInto(join(layer, 'diff'));
    await writeFile(join(layer, 'layer.json'), JSON.stringify(record), { flush: true });
    await rename(layer, layerPath(hex));
    known.set(hex, record);
    return record;
  }

  async function ensure(diffId: Digest, unpackInto: (tree: string) => Promise<LayerRecord>): Promise<LayerRecord> {
    const hex = hexOf(diffId);
    for (;;) {
      const found = find(diffId);
      if (found !== undefined) return found;
      const other = making.get(hex);
      if (other === undefined) break;
      // Its maker may fail by its own archive or signal; then it is our turn.
      await other.catch(() => undefined);
    }
    const ours = make(hex, unpackInto).finally(() => making.delete(hex));
    making.set(hex, ours);
    return ours;
  }

  function pin(diffIds: readonly Digest[]): PinnedLayers {
    for (const diffId of diffIds) pins.set(hexOf(diffId), (pins.get(hexOf(diffId)) ?? 0) + 1);
    return {
      ensure,
      [Symbol.dispose]() {
        for (const diffId of diffIds) {
          const left = (pins.get(hexOf(diffId)) ?? 1) - 1;
          if (left === 0) pins.delete(hexOf(diffId));
          else pins.set(hexOf(diffId), left);
        }
      },
    };
  }

  async function collect(referenced: () => ReadonlySet<string>): Promise<void> {
    const doomed: string[] = [];
    const found = await readdir(layersDirectory);
    const kept = referenced();
    for (const hex of found) {
      if (kept.has(`sha256:${hex}`) || pins.has(hex)) continue;
      // Out of sight in one step: a half-removed layer must never be taken for a whole one.
      const grave = join(stagingDirectory, `removed-${randomBytes(8).toString('hex')}`);
      if (!existsSync(layerPath(hex))) continue;
      renameSync(layerPath(hex), grave);
      known.delete(hex);
      doomed.push(grave);
    }
    for (const grave of doomed) await removeTree(grave);
  }

  return {
    stage,
    find,
    treeDirectory: (diffId) => join(layerPath(hexOf(diffId)), 'diff'),
    recipePath: (diffId) => recipeOfTree(join(layerPath(hexOf(diffId)), 'diff')),
    pin,
    collect,
  };
}
