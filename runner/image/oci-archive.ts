import type { Digest } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import type { Descriptor } from '#shared/oci/descriptor.ts';
import { layoutImageName, ociLayout } from '#shared/oci/layout.ts';
import {
  configMediaTypes,
  imageIndex,
  imageManifest,
  indexMediaTypes,
  layerMediaTypes,
  manifestMediaTypes,
} from '#shared/oci/manifest.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import { corrupt, digestOf, readImageConfig } from './archive-image.ts';
import type { ArchiveImage, ArchiveLayer } from './archive-image.ts';
import { parseMetadata } from './archive-members.ts';
import type { ArchiveMember, ArchiveMembers } from './archive-members.ts';
import { runsHere, wrongPlatform } from './platform.ts';

/** An index may list indexes; deeper than this nobody goes on purpose. */
const maxIndexDepth = 4;

function blobName(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

async function findBlob(members: ArchiveMembers, descriptor: Descriptor): Promise<ArchiveMember> {
  const member = await members.find(blobName(descriptor.digest));
  if (member === undefined) throw corrupt(`blob ${descriptor.digest} is not in the archive`);
  if (member.sizeBytes !== descriptor.size) {
    throw corrupt(`blob ${descriptor.digest}: expected ${descriptor.size} bytes, found ${member.sizeBytes}`);
  }
  return member;
}

/** A small blob's text, its size and digest verified. */
async function readBlob(members: ArchiveMembers, descriptor: Descriptor): Promise<string> {
  await findBlob(members, descriptor);
  const text = await members.readText(blobName(descriptor.digest));
  const found = digestOf(text);
  if (found !== descriptor.digest)
    throw corrupt(`blob ${descriptor.digest}: expected ${descriptor.digest}, found ${found}`);
  return text;
}

/** A manifest together with the name that the descriptors on the way to it gave. */
interface NamedManifest {
  readonly descriptor: Descriptor;
  readonly name: string | undefined;
}

/** Follows indexes to all manifests, whatever their platform. */
async function manifestsOf(
  members: ArchiveMembers,
  descriptors: readonly Descriptor[],
  inherited: string | undefined,
  depth: number,
): Promise<NamedManifest[]> {
  if (depth > maxIndexDepth) throw corrupt(`indexes nested more than ${maxIndexDepth} deep`);
  const found: NamedManifest[] = [];
  for (const descriptor of descriptors) {
    const name = layoutImageName(descriptor) ?? inherited;
    if (manifestMediaTypes.has(descriptor.mediaType)) {
      found.push({ descriptor, name });
    } else if (indexMediaTypes.has(descriptor.mediaType)) {
      const index = parseMetadata(await readBlob(members, descriptor), descriptor.digest, imageIndex);
      found.push(...(await manifestsOf(members, index.manifests, name, depth + 1)));
    } else {
      throw unsupportedMediaType(descriptor);
    }
  }
  return found;
}

function unsupportedMediaType(descriptor: Descriptor): BerthError {
  const message = `load image: blob ${descriptor.digest} has media type ${descriptor.mediaType}, which is no image's`;
  return new BerthError('unsupported', 'image.media-type-unsupported', message);
}

/** Those that this host can run. A manifest without a platform is judged by its config later. */
function forThisHost(manifests: readonly NamedManifest[]): readonly NamedManifest[] {
  const chosen = manifests.filter(({ descriptor }) => descriptor.platform == null || runsHere(descriptor.platform));
  if (chosen.length > 0) return chosen;
  const offered = manifests.map(({ descriptor }) => `${descriptor.platform?.os}/${descriptor.platform?.architecture}`);
  if (offered.length === 0) throw corrupt('index.json lists no image');
  throw wrongPlatform(manifests[0]?.name ?? 'in index.json', [...new Set(offered)]);
}

/** A bare tag (`1.0`) names no repository, so it names nothing here. */
function referencesOf(name: string | undefined): readonly string[] {
  return name === undefined || !/[:/]/.test(name) ? [] : [formatReference(parseReference(name))];
}

async function readLayer(members: ArchiveMembers, descriptor: Descriptor, diffId: Digest): Promise<ArchiveLayer> {
  if (!layerMediaTypes.has(descriptor.mediaType)) throw unsupportedMediaType(descriptor);
  const member = await findBlob(members, descriptor);
  const expected = { digest: descriptor.digest, sizeBytes: descriptor.size };
  return { kind: 'blob', diffId, path: member.path, name: descriptor.digest, expected };
}

async function readManifest(members: ArchiveMembers, { descriptor, name }: NamedManifest): Promise<ArchiveImage> {
  const manifest = parseMetadata(await readBlob(members, descriptor), descriptor.digest, imageManifest);
  if (!configMediaTypes.has(manifest.config.mediaType)) throw unsupportedMediaType(manifest.config);
  const configText = await readBlob(members, manifest.config);
  const config = readImageConfig(configText, manifest.layers.length, name ?? descriptor.digest);
  const layers: ArchiveLayer[] = [];
  for (const [index, diffId] of config.rootfs.diff_ids.entries()) {
    const layer = manifest.layers[index];
    if (layer !== undefined) layers.push(await readLayer(members, layer, diffId));
  }
  return { id: manifest.config.digest, configText, config, references: referencesOf(name), layers };
}

/** The same image under several names is one image. */
function mergeById(images: readonly ArchiveImage[]): readonly ArchiveImage[] {
  const merged = new Map<string, ArchiveImage>();
  for (const image of images) {
    const earlier = merged.get(image.id);
    const references = [...new Set([...(earlier?.references ?? []), ...image.references])];
    merged.set(image.id, { ...image, references });
  }
  return [...merged.values()];
}

/**
 * The images of an OCI image layout for this host's platform (image-spec, image-layout.md): every blob on the way to the
 * layers is verified by size and digest, the layers by size.
 *
 * @throws BerthError `image.archive-corrupt`, `image.wrong-platform`, `image.media-type-unsupported`,
 * `image.reference-invalid`
 */
export async function readOciArchive(members: ArchiveMembers): Promise<readonly ArchiveImage[]> {
  await members.readJson('oci-layout', ociLayout);
  const index = await members.readJson('index.json', imageIndex);
  const manifests = forThisHost(await manifestsOf(members, index.manifests, undefined, 0));
  const images: ArchiveImage[] = [];
  for (const manifest of manifests) images.push(await readManifest(members, manifest));
  return mergeById(images);
}
