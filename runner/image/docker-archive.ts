import { basename } from 'node:path';
import { z } from 'zod';
import type { Digest } from '#shared/digest.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import { corrupt, digestOf, readImageConfig } from './archive-image.ts';
import type { ArchiveImage, ArchiveLayer } from './archive-image.ts';
import type { ArchiveMembers } from './archive-members.ts';

/** `manifest.json` of `docker save` (moby, image/tarexport, `manifestItem`). */
const dockerManifest = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()).nullish() }),
);
type ManifestItem = z.infer<typeof dockerManifest>[number];

/** A name that is itself a digest (`blobs/sha256/<hex>`, `<hex>.json`) must be its content's. */
const hexName = /^([0-9a-f]{64})(?:\.json)?$/;

async function readLayer(members: ArchiveMembers, name: string, diffId: Digest): Promise<ArchiveLayer> {
  const member = await members.find(name);
  if (member === undefined) throw corrupt(`manifest.json lists layer ${name}, which the archive does not have`);
  return { kind: 'blob', diffId, path: member.path, name, expected: undefined };
}

async function readItem(members: ArchiveMembers, item: ManifestItem): Promise<ArchiveImage> {
  const configText = await members.readText(item.Config);
  const id = digestOf(configText);
  const named = hexName.exec(basename(item.Config))?.[1];
  if (named !== undefined && id !== `sha256:${named}`) {
    throw corrupt(`blob ${item.Config}: expected sha256:${named}, found ${id}`);
  }
  const names = item.Layers ?? [];
  const references = (item.RepoTags ?? []).map((tag) => formatReference(parseReference(tag)));
  const config = readImageConfig(configText, names.length, references[0] ?? id);
  const layers = await Promise.all(
    config.rootfs.diff_ids.map((diffId, index) => readLayer(members, names[index] ?? '', diffId)),
  );
  return { id, configText, config, references, layers };
}

/**
 * The images of a docker-archive: `docker save`, old (`x/layer.tar`) and new (`blobs/sha256/…`), and what imitates it.
 *
 * @throws BerthError `image.archive-corrupt`, `image.wrong-platform`, `image.reference-invalid`
 */
export async function readDockerArchive(members: ArchiveMembers): Promise<readonly ArchiveImage[]> {
  const manifest = await members.readJson('manifest.json', dockerManifest);
  if (manifest.length === 0) throw corrupt('manifest.json lists no image');
  return Promise.all(manifest.map((item) => readItem(members, item)));
}
