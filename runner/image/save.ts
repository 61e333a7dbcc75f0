import { Readable } from 'node:stream';
import type { Digest } from '#shared/digest.ts';
import { familiarReference, parseReference } from '#shared/oci/reference.ts';
import { digestOf } from './archive-image.ts';
import type { StoredImage } from './image-records.ts';
import type { LayerStore } from './layer-store.ts';
import { layerTar, layerTarBytes } from './layer-tar.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-writer.ts';

/** An image to be saved, under these of its names. */
export interface SavedImage {
  readonly image: Pick<StoredImage, 'id' | 'layers' | 'createdAtMs' | 'config'>;
  readonly configText: string;
  readonly references: readonly string[];
}

export interface SaveOptions {
  readonly binary: string;
  readonly layers: LayerStore;
  readonly signal?: AbortSignal | undefined;
}

/** A file of the archive: a text, or a layer's tar. */
type Member = { readonly name: string; readonly modifiedAtS: number } & (
  | { readonly text: string }
  | { readonly diffId: Digest; readonly sizeBytes: number }
);

const blobName = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

function manifestText({ image, configText }: SavedImage, layers: LayerStore): string {
  const config: Descriptor = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: image.id,
    size: Buffer.byteLength(configText),
  };
  const blobs = image.layers.map((digest): Descriptor => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest,
    size: layerTarBytes(layers, digest),
  }));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return JSON.stringify({ schemaVersion: 2, mediaType, config, layers: blobs });
}

/** One entry of index.json for each name; one without for an image that has none. */
function indexEntries({ image, references }: SavedImage, manifest: string): readonly object[] {
  const entry = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(manifest),
    size: Buffer.byteLength(manifest),
    platform: { architecture: image.config.architecture, os: image.config.os },
  };
  const named = references.map((reference) => ({
    ...entry,
    annotations: {
      'io.containerd.image.name': reference,
      'org.opencontainers.image.ref.name': parseReference(reference).tag ?? 'latest',
    },
  }));
  return named.length === 0 ? [entry] : named;
}

/** `repositories` of the oldest format: repository -> tag -> the top layer. */
function repositories(images: readonly SavedImage[]): Record<string, Record<string, string>> {
  const all: Record<string, Record<string, string>> = {};
  for (const { image, references } of images) {
    for (const reference of references) {
      const short = familiarReference(parseReference(reference));
      const colon = short.lastIndexOf(':');
      const repository = (all[short.slice(0, colon)] ??= {});
      repository[short.slice(colon + 1)] = (image.layers.at(-1) ?? image.id).slice('sha256:'.length);
    }
  }
  return all;
}

/** Every blob once, whichever images share it. */
function membersOf(images: readonly SavedImage[], layers: LayerStore): readonly Member[] {
  const blobs = new Map<string, Member>();
  const index: object[] = [];
  const text = (name: string, content: string, modifiedAtS = 0): void =>
    void blobs.set(name, { name, text: content, modifiedAtS });
  for (const saved of images) {
    const { image, configText } = saved;
    const modifiedAtS = Math.floor(image.createdAtMs / 1000);
    const manifest = manifestText(saved, layers);
    text(blobName(image.id), configText, modifiedAtS);
    text(blobName(digestOf(manifest)), manifest, modifiedAtS);
    for (const diffId of image.layers) {
      const name = blobName(diffId);
      blobs.set(name, { name, diffId, sizeBytes: layerTarBytes(layers, diffId), modifiedAtS });
    }
    index.push(...indexEntries(saved, manifest));
  }
  const items = images.map(({ image, references }) => ({
    Config: blobName(image.id),
    RepoTags: references.length === 0 ? null : references.map((name) => familiarReference(parseReference(name))),
    Layers: image.layers.map(blobName),
  }));
  text('index.json', JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: index }));
  text('manifest.json', JSON.stringify(items));
  text('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const names = repositories(images);
  if (Object.keys(names).length > 0) text('repositories', JSON.stringify(names));
  return [...blobs.values()];
}

const indexType = 'application/vnd.oci.image.index.v1+json';

async function* archiveOf(members: readonly Member[], options: SaveOptions): AsyncGenerator<Buffer> {
  yield tarHeader('blobs/', 0, 0);
  yield tarHeader('blobs/sha256/', 0, 0);
  for (const member of members) {
    options.signal?.throwIfAborted();
    const text = 'text' in member ? Buffer.from(member.text) : undefined;
    const sizeBytes = 'text' in member ? Buffer.byteLength(member.text) : member.sizeBytes;
    yield tarHeader(member.name, sizeBytes, member.modifiedAtS);
    if (text !== undefined) yield text;
    else if ('diffId' in member) yield* layerTar(options.binary, options.layers, member.diffId, options.signal);
    yield tarPadding(sizeBytes);
  }
  yield tarEnd;
}

/**
 * An archive of images that is a docker-archive and an OCI image layout at once, as `docker save` of version 25 and later
 * writes it. The layers are plain tars: their digests are their diffIDs. They are pinned until the stream is closed.
 *
 * @throws BerthError `image.layer-not-kept`
 */
export function saveArchive(images: readonly SavedImage[], options: SaveOptions): Readable {
  const members = membersOf(images, options.layers);
  const pinned = options.layers.pin(images.flatMap(({ image }) => [...image.layers]));
  const stream = Readable.from(archiveOf(members, options), { objectMode: false });
  stream.once('close', () => pinned[Symbol.dispose]());
  return stream;
}
