import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Digest } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import { digestOf, readImageConfig } from './archive-image.ts';
import type { ImageRecords, StoredImage } from './image-records.ts';
import type { UnpackOptions } from './layer-blob.ts';
import { recipeOfTree, type LayerStore } from './layer-store.ts';
import { storeLayer } from './load.ts';
import { syncFileSystem, unpack, unpackFailure } from './unpack.ts';

/** The diffID of a tar that holds nothing: such a layer is left out, as Docker does. */
const emptyLayer = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

/** What a new image is made of. */
export interface ImageDraft {
  /** The image upon whose layers it is; undefined: none. */
  readonly parentId?: string | undefined;
  /** The new layer: a tar, plain or gzip. */
  readonly layer: Readable;
  /** The config's JSON, once the layers are known; the new one is the last, unless it is `empty`. */
  configText(layers: readonly Digest[], empty: boolean): string;
  /** Its name, if it is to have one. */
  readonly reference?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface NewImageOptions extends UnpackOptions {
  readonly layers: LayerStore;
  readonly records: ImageRecords;
}

/**
 * Stores an image that is made on this host: by the way of a loaded one (unpack, verify, pin, sync, row). Returns its ID.
 *
 * @throws BerthError `image.unknown`, `image.reference-invalid`, and what unpacking throws
 */
export async function storeNewImage(draft: ImageDraft, options: NewImageOptions): Promise<string> {
  const { layers, records, binary, signal } = options;
  const references = draft.reference === undefined ? [] : [formatReference(parseReference(draft.reference))];
  const parent = draft.parentId === undefined ? undefined : requireParent(records, draft.parentId);
  // Before anything is waited for: the parent's layers must be there when the row is written, whoever removes it.
  using _ = layers.pin(parent?.layers ?? []);
  await using staging = await layers.stage();
  const path = join(staging.path, 'layer');
  await mkdir(path, { mode: 0o755 });
  const source = { kind: 'stream', stream: draft.layer } as const;
  const unpacked = await unpack(binary, path, source, { ...options, recipe: recipeOfTree(path) });
  if (!unpacked.ok) throw unpackFailure('the new layer', unpacked);
  const { diffId } = unpacked;
  const empty = diffId === emptyLayer && parent !== undefined;
  const all = [...(parent?.layers ?? []), ...(empty ? [] : [diffId])];
  const configText = draft.configText(all, empty);
  const config = readImageConfig(configText, all.length, draft.reference ?? 'the new image');
  using pinned = layers.pin(empty ? [] : [diffId]);
  const own = empty
    ? 0
    : (await storeLayer({ kind: 'unpacked', diffId, path, unpacked }, pinned, options)).contentBytes;
  await syncFileSystem(binary, staging.path);
  signal?.throwIfAborted();
  const id = digestOf(configText);
  const createdAtMs = Date.parse(config.created ?? '') || Date.now();
  records.add([{ id, configText, references, layers: all, sizeBytes: (parent?.sizeBytes ?? 0) + own, createdAtMs }]);
  return id;
}

function requireParent(records: ImageRecords, id: string): StoredImage {
  const parent = records.byIdPrefix(id.replace('sha256:', ''));
  if (parent !== undefined) return parent;
  throw new BerthError('not-found', 'image.unknown', `The image ${id}, upon which the new one is to be, is not there`);
}
