import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { BerthError } from '#shared/errors.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import { formatBytes } from '#shared/size.ts';
import type { ArchiveImage, ArchiveLayer } from './archive-image.ts';
import { ArchiveMembers } from './archive-members.ts';
import { openArchiveSource, unknownArchive } from './archive-source.ts';
import { readDockerArchive } from './docker-archive.ts';
import type { ImageRecords, NewImage } from './image-records.ts';
import { unpackBlob, verifyBlob } from './layer-blob.ts';
import type { UnpackOptions } from './layer-blob.ts';
import { recipeOfTree } from './layer-store.ts';
import type { LayerRecord, LayerStore, PinnedLayers } from './layer-store.ts';
import { readOciArchive } from './oci-archive.ts';
import { rootfsImage } from './rootfs-archive.ts';
import { syncFileSystem, unpack, unpackFailure } from './unpack.ts';
import type { UnpackedLayer } from './unpack.ts';

export interface LoadOptions extends UnpackOptions {
  readonly layers: LayerStore;
  readonly records: ImageRecords;
  readonly reference?: string;
  readonly onProgress?: (message: string) => void;
}

async function unpackArchive(archive: Readable, directory: string, options: UnpackOptions): Promise<UnpackedLayer> {
  const abort = (): void => void archive.destroy(new Error('the load was aborted'));
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    options.signal?.throwIfAborted(); // an abort before the listener was there is not told again
    const { stream, description } = await openArchiveSource(archive);
    // It may be a layer itself.
    const recipe = recipeOfTree(directory);
    const report = await unpack(options.binary, directory, { kind: 'stream', stream }, { ...options, recipe });
    if (report.ok && report.sourceBytes > 0) return report;
    if (report.ok || report.code === 'not-tar') throw unknownArchive(description);
    throw unpackFailure('the archive', report);
  } catch (error) {
    archive.destroy(); // so that its sender learns that nobody reads on
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Tells the kinds apart by their marker files. A newer `docker save` has both; its manifest.json has the names. */
async function readImages(
  directory: string,
  unpacked: UnpackedLayer,
  reference: string | undefined,
): Promise<readonly ArchiveImage[]> {
  const members = new ArchiveMembers(directory);
  if ((await members.find('manifest.json')) !== undefined) return readDockerArchive(members);
  if ((await members.find('oci-layout')) !== undefined) return readOciArchive(members);
  if (reference !== undefined) return [rootfsImage(reference, directory, unpacked)];
  const names = (await readdir(directory)).toSorted();
  const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ' …' : '');
  throw unknownArchive(
    `a tar without manifest.json or oci-layout (it holds ${shown || 'nothing'})`,
    'If it is a root file system, give the image a reference.',
  );
}

function withReference(images: readonly ArchiveImage[], reference: string | undefined): readonly ArchiveImage[] {
  if (reference === undefined) return images;
  const [image] = images;
  if (image === undefined || images.length > 1) {
    const message = `load image as ${reference}: the archive holds ${images.length} images`;
    throw new BerthError('invalid', 'image.reference-ambiguous', message, {
      remedy: 'Leave the reference out; the images keep the names that the archive gives them.',
    });
  }
  return [{ ...image, references: [formatReference(parseReference(reference))] }];
}

/** What is kept of a layer that has been unpacked. */
function recordOf({ contentBytes, opaqueRoot, tarBytes, replaced }: UnpackedLayer): LayerRecord {
  return { contentBytes, opaqueRoot, ...(replaced ? {} : { tarBytes }) };
}

export async function storeLayer(
  layer: ArchiveLayer,
  pinned: PinnedLayers,
  options: UnpackOptions,
): Promise<LayerRecord> {
  let made = false;
  const record = await pinned.ensure(layer.diffId, async (tree) => {
    made = true;
    if (layer.kind === 'blob') return recordOf(await unpackBlob(layer, tree, options));
    await rename(recipeOfTree(layer.path), recipeOfTree(tree));
    await rename(layer.path, tree);
    return recordOf(layer.unpacked);
  });
  if (!made && layer.kind === 'blob') await verifyBlob(layer, options.signal);
  return record;
}

function createdAtMs(image: ArchiveImage): number {
  const stated = Date.parse(image.config.created ?? '');
  return Number.isNaN(stated) || stated < 0 ? Date.now() : stated;
}

async function storeLayers(image: ArchiveImage, pinned: PinnedLayers, options: LoadOptions): Promise<NewImage> {
  let sizeBytes = 0;
  for (const [index, layer] of image.layers.entries()) {
    options.signal?.throwIfAborted();
    const record = await storeLayer(layer, pinned, options);
    sizeBytes += record.contentBytes;
    const place = `layer ${index + 1} of ${image.layers.length}`;
    options.onProgress?.(`${place}: ${layer.diffId.slice(0, 19)} ${formatBytes(record.contentBytes)}`);
  }
  return {
    id: image.id,
    configText: image.configText,
    references: image.references,
    layers: image.layers.map((layer) => layer.diffId),
    sizeBytes,
    createdAtMs: createdAtMs(image),
  };
}

/**
 * Stores the images of an archive and returns their IDs. The archive goes through the unpacker like a layer, for it may be
 * one: it is on disk by the time that its kind is known, and never in memory.
 *
 * Order: pin, layers, sync, rows, unpin. Whatever ends it early leaves unpinned layers without rows, which the store's next
 * collection removes.
 */
export async function loadArchive(archive: Readable, options: LoadOptions): Promise<readonly string[]> {
  if (options.reference !== undefined) parseReference(options.reference); // refused before anything is read
  await using staging = await options.layers.stage();
  const directory = join(staging.path, 'archive');
  await mkdir(directory, { mode: 0o755 });
  options.onProgress?.('reading the archive');
  const unpacked = await unpackArchive(archive, directory, options);
  const images = withReference(await readImages(directory, unpacked, options.reference), options.reference);

  using pinned = options.layers.pin(images.flatMap((image) => image.layers.map((layer) => layer.diffId)));
  const rows: NewImage[] = [];
  for (const image of images) rows.push(await storeLayers(image, pinned, options));
  options.signal?.throwIfAborted();
  // The rows are synced one by one as they are written: after a power loss they must not name layers that are not there.
  await syncFileSystem(options.binary, staging.path);
  options.signal?.throwIfAborted();
  options.records.add(rows);
  return rows.map((row) => row.id);
}
