import { BerthError } from '#shared/errors.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import type { ImageRecord } from '../image/store.ts';
import { json, type Answer } from './answer.ts';
import { atLeast, flag, option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { requireImage } from './docker-errors.ts';
import { chainIds } from '../image/chain-ids.ts';
import { booleanFilter, parseFilters } from './translate/filters.ts';
import { familiar, imageDocument, imageHistory, imageSummary } from './translate/image-document.ts';
import { chosenImages, imageFilterNames } from './translate/image-filter.ts';

/** GET /images/json */
export function listImages(context: DockerApiContext, request: ApiRequest): Answer {
  const filters = parseFilters(option(request, 'filters'), imageFilterNames);
  const images = context.images.list();
  const counted = flag(request, 'shared-size');
  const chosen = chosenImages(images, filters, {
    createdAt: (reference) => requireImage(context, reference).createdAtMs,
    now: context.clock(),
  });
  return json(chosen.map((image) => imageSummary(image, counted ? usersOf(context, image).length : -1)));
}

/** GET /images/{name}/json */
export function inspectImage(context: DockerApiContext, request: ApiRequest): Answer {
  const image = requireImage(context, parameter(request, 'name'));
  const document = imageDocument(image, detailOf(context, image).configText, context.storage);
  // Gone since 1.45; docker-compose 1.29 asks for it when it makes a container anew.
  const older = atLeast(request, '1.45') ? {} : { Container: '', ContainerConfig: document['Config'] };
  return json({ ...document, ...older });
}

/** GET /images/{name}/history */
export function historyOfImage(context: DockerApiContext, request: ApiRequest): Answer {
  const image = requireImage(context, parameter(request, 'name'));
  return json(imageHistory(image, detailOf(context, image)));
}

/** POST /images/{name}/tag */
export function tagImage(context: DockerApiContext, request: ApiRequest): Answer {
  const image = requireImage(context, parameter(request, 'name'));
  const tag = option(request, 'tag');
  const target = `${request.query.get('repo') ?? ''}${tag === undefined ? '' : `:${tag}`}`;
  const name = familiar(formatReference(parseReference(target)));
  if (name.startsWith('sha256:')) {
    const text = 'refusing to create an ambiguous tag using digest algorithm as name';
    throw new BerthError('invalid', 'image.reference-invalid', text);
  }
  context.images.tag(image.id, target);
  tellImage(context, 'tag', image.id, name);
  return { kind: 'text', status: 201, body: '' };
}

/** DELETE /images/{name} */
export async function removeImage(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const reference = parameter(request, 'name');
  const image = requireImage(context, reference);
  return json(await removeOne(context, image, reference, flag(request, 'force')));
}

/** POST /images/prune: those without a name, or (`dangling=false`) all that no container is made of. */
export async function pruneImages(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const filters = parseFilters(option(request, 'filters'), ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const deleted: unknown[] = [];
  let reclaimed = 0;
  for (const image of chosenImages(
    context.images.list(),
    new Map([...filters].filter(([name]) => name !== 'dangling')),
    { createdAt: () => 0, now: context.clock() },
  )) {
    if ((danglingOnly && image.references.length > 0) || usersOf(context, image).length > 0) continue;
    const bytes = ownLayers(context, image).reduce((sum, layer) => sum + layer.bytes, 0);
    deleted.push(...(await removeOne(context, image, image.id, true)));
    reclaimed += bytes;
  }
  return json({ ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed });
}

type Deletion = { readonly Untagged: string } | { readonly Deleted: string };

/** By one of its names only that goes; with its last name, or by its ID, the image does (moby image_delete.go). */
async function removeOne(
  context: DockerApiContext,
  image: ImageRecord,
  reference: string,
  force: boolean,
): Promise<readonly Deletion[]> {
  const named = nameAmong(image, reference);
  const users = usersOf(context, image);
  if (named !== undefined && image.references.length > 1) {
    await context.images.remove(reference);
    tellImage(context, 'untag', image.id, familiar(named));
    return [{ Untagged: familiar(named) }];
  }
  const short = image.id.slice(7, 19);
  const [user] = users;
  const running = users.find(({ state }) => state === 'running');
  if (named === undefined && image.references.length > 1 && !force) {
    throw conflict(`unable to delete ${short} (must be forced) - image is referenced in multiple repositories`);
  }
  if (running !== undefined) {
    throw conflict(
      named === undefined || force
        ? `unable to delete ${short} (cannot be forced) - image is being used by running container ${running.id.slice(0, 12)}`
        : `unable to remove repository reference "${reference}" (must force) - container ${running.id.slice(0, 12)} is using its referenced image ${short}`,
    );
  }
  if (user !== undefined && !force) {
    throw conflict(
      named === undefined
        ? `unable to delete ${short} (must be forced) - image is being used by stopped container ${user.id.slice(0, 12)}`
        : `unable to remove repository reference "${reference}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${short}`,
    );
  }
  if (user !== undefined) {
    // It stays without a name: a container that does not run has its files from it.
    for (const name of image.references) context.images.untag(name);
    for (const name of image.references) tellImage(context, 'untag', image.id, familiar(name));
    return image.references.map((name) => ({ Untagged: familiar(name) }));
  }
  const layers = ownLayers(context, image);
  // Every name first, so that the last removal takes the image itself.
  for (const name of image.references.slice(1)) await context.images.remove(name);
  await context.images.remove(image.id);
  for (const name of image.references) tellImage(context, 'untag', image.id, familiar(name));
  tellImage(context, 'delete', image.id, image.id);
  const deleted = image.config.rootfs.diff_ids.length === 0 ? [] : [image.id, ...layers.map(({ id }) => id)];
  return [...image.references.map((name) => ({ Untagged: familiar(name) })), ...deleted.map((id) => ({ Deleted: id }))];
}

interface OwnLayer {
  readonly id: string;
  readonly bytes: number;
}

/** The layers that no other image has, topmost first. */
function ownLayers(context: DockerApiContext, image: ImageRecord): readonly OwnLayer[] {
  const others = context.images.list().filter(({ id }) => id !== image.id);
  const kept = new Set(others.flatMap(({ config }) => chainIds(config.rootfs.diff_ids)));
  const { layerBytes } = detailOf(context, image);
  return chainIds(image.config.rootfs.diff_ids)
    .map((id, at) => ({ id, bytes: layerBytes[at] ?? 0 }))
    .filter(({ id }) => !kept.has(id))
    .toReversed();
}

function nameAmong(image: ImageRecord, reference: string): string | undefined {
  try {
    const name = formatReference(parseReference(reference));
    return image.references.includes(name) ? name : undefined;
  } catch {
    return undefined; // an ID
  }
}

function usersOf({ engine }: DockerApiContext, image: ImageRecord) {
  return engine.list().filter((record) => record.config.imageId === image.id);
}

function detailOf({ images }: DockerApiContext, image: ImageRecord) {
  const detail = images.detail(image.id);
  if (detail !== undefined) return detail;
  throw new BerthError('not-found', 'docker.no-image', `No such image: ${image.id}`);
}

function conflict(text: string): BerthError {
  return new BerthError('conflict', 'docker.image-in-use', `conflict: ${text}`);
}

/** Tells of what happened to an image. */
export function tellImage({ events }: DockerApiContext, action: string, id: string, name: string): void {
  events.tell({ type: 'image', action, id, attributes: { name } });
}
