import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import type { ImageCatalog } from './catalog.ts';
import { ImageRecords } from './image-records.ts';
import type { StoredImage } from './image-records.ts';
import { openLayerStore } from './layer-store.ts';
import type { LayerStore } from './layer-store.ts';
import { defaultLayerLimits } from './limits.ts';
import type { LayerLimits } from './limits.ts';
import { loadArchive } from './load.ts';
import { storeNewImage } from './new-image.ts';
import { saveArchive } from './save.ts';
import type { ImageRecord, ImageStore } from './store.ts';

export interface ImageStoreOptions {
  readonly database: DatabaseSync;
  /** `images/` of the data root; made when it is missing. */
  readonly directory: string;
  /** Path of berth-unpack. */
  readonly unpackBinary: string;
  readonly limits?: LayerLimits;
}

function canonical(reference: string): string | undefined {
  try {
    return formatReference(parseReference(reference));
  } catch {
    return undefined; // no reference; perhaps an ID
  }
}

/** A layer that hides all below it is the lowest that counts: overlayfs heeds the mark on no root. */
function visibleLayers(layers: LayerStore, image: StoredImage): readonly string[] {
  const lowest = image.layers.findLastIndex((diffId) => layers.find(diffId)?.opaqueRoot === true);
  return image.layers.slice(Math.max(lowest, 0)).map((diffId) => layers.treeDirectory(diffId));
}

/**
 * Opens the images of one data root, and removes what a killed runner left half done: temp directories, and layers that
 * no stored image refers to. The database's row is what makes an image be there; it is written last and removed first.
 */
export async function createImageStore(options: ImageStoreOptions): Promise<ImageStore & ImageCatalog> {
  const records = new ImageRecords(options.database);
  const layers = await openLayerStore(options.directory);
  const collect = (): Promise<void> => layers.collect(() => records.referencedLayers());
  await collect();
  const listeners = new Set<() => void>();
  const guards = new Set<(imageId: string) => string | undefined>();
  const changed = (): void => {
    for (const listener of listeners) listener();
  };

  function toRecord(image: StoredImage): ImageRecord {
    const { id, references, config, sizeBytes, createdAtMs } = image;
    return { id, references, config, sizeBytes, createdAtMs, layerDirectories: visibleLayers(layers, image) };
  }

  /** Docker refuses it in these words (moby daemon/images/image_delete.go). */
  function refuseIfUsed(reference: string, imageId: string): void {
    for (const userOf of guards) {
      const user = userOf(imageId);
      if (user === undefined) continue;
      const message = `conflict: unable to remove image ${reference}: image is being used by ${user}`;
      throw new BerthError('conflict', 'image.in-use', message, { remedy: 'Remove the container first.' });
    }
  }

  /** Docker's order: an ID in full, a reference, the start of an ID. */
  function findStored(text: string): StoredImage | undefined {
    const hex = /^(?:sha256:)?([0-9a-f]+)$/.exec(text)?.[1];
    if (hex?.length === 64) return records.byIdPrefix(hex);
    const reference = canonical(text);
    const named = reference === undefined ? undefined : records.byReference(reference);
    return named ?? (hex === undefined ? undefined : records.byIdPrefix(hex));
  }

  function requireStored(reference: string, operation: string): StoredImage {
    const image = findStored(reference);
    if (image !== undefined) return image;
    throw new BerthError('not-found', 'image.unknown', `${operation} image ${reference}: there is no such image`, {
      remedy: 'Look at the images that are there with `berth image ls`.',
    });
  }

  return {
    tag(reference, target) {
      records.addReference(formatReference(parseReference(target)), requireStored(reference, 'tag').id);
      changed();
    },
    detail(id) {
      const configText = records.configText(id);
      const image = configText === undefined ? undefined : records.byIdPrefix(id.slice('sha256:'.length));
      if (configText === undefined || image === undefined) return undefined;
      return { configText, layerBytes: image.layers.map((diffId) => layers.find(diffId)?.contentBytes ?? 0) };
    },
    async create(draft) {
      let id: string;
      try {
        const limits = options.limits ?? defaultLayerLimits;
        const { signal } = draft;
        id = await storeNewImage(draft, { layers, records, binary: options.unpackBinary, limits, signal });
      } finally {
        await collect();
      }
      changed();
      return toRecord(requireStored(id, 'create'));
    },
    save(images, { signal } = {}) {
      const saved = images.map(({ id, references }) => {
        const image = requireStored(id, 'save');
        return { image, configText: records.configText(image.id) ?? '', references };
      });
      const archive = saveArchive(saved, { layers, binary: options.unpackBinary, signal });
      archive.once('close', () => void collect().catch(() => undefined)); // what was removed while it was pinned
      return archive;
    },
    async load(archive, loadOptions) {
      let ids: readonly string[];
      try {
        ids = await loadArchive(archive, {
          ...loadOptions,
          layers,
          records,
          binary: options.unpackBinary,
          limits: options.limits ?? defaultLayerLimits,
        });
      } finally {
        // What a failed load made, or what a removal could not take while the load had it pinned.
        await collect();
      }
      changed();
      const stored = ids.map((id) => records.byIdPrefix(id.slice('sha256:'.length)));
      return stored.flatMap((image) => (image === undefined ? [] : [toRecord(image)]));
    },
    find(reference) {
      const image = findStored(reference);
      return image === undefined ? undefined : toRecord(image);
    },
    list: () => records.list().map(toRecord),
    untag(reference) {
      records.removeReference(formatReference(parseReference(reference)));
      changed();
    },
    async remove(reference) {
      const image = requireStored(reference, 'remove');
      // One of several names: only that name goes, as with `docker rmi`.
      const name = canonical(reference);
      if (name !== undefined && image.references.includes(name) && image.references.length > 1) {
        records.removeReference(name);
      } else {
        refuseIfUsed(reference, image.id);
        records.remove(image.id);
        await collect();
      }
      changed();
    },
    guard(userOf) {
      const own = (imageId: string): string | undefined => userOf(imageId);
      guards.add(own);
      return { [Symbol.dispose]: () => void guards.delete(own) };
    },
    onChange(listener) {
      const own = (): void => listener();
      listeners.add(own);
      return { [Symbol.dispose]: () => void listeners.delete(own) };
    },
  };
}
