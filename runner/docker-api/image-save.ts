import { BerthError } from '#shared/errors.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import type { ImageRecord } from '../image/store.ts';
import type { Answer } from './answer.ts';
import { parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { tellImage } from './images.ts';
import { streamOf } from './stream-answer.ts';

/** GET /images/get: several images in one archive. */
export function saveImages(context: DockerApiContext, request: ApiRequest): Answer {
  const names = request.query
    .getAll('names')
    .flatMap((name) => name.split(','))
    .filter((name) => name !== '');
  return save(context, request, names);
}

/** GET /images/{name}/get */
export function saveImage(context: DockerApiContext, request: ApiRequest): Answer {
  return save(context, request, [parameter(request, 'name')]);
}

function save(context: DockerApiContext, request: ApiRequest, names: readonly string[]): Answer {
  const chosen = new Map<string, Set<string>>();
  for (const name of names) {
    for (const { id, references } of imagesNamed(context, name)) {
      const own = chosen.get(id) ?? new Set();
      for (const reference of references) own.add(reference);
      chosen.set(id, own);
    }
  }
  const images = [...chosen].map(([id, references]) => ({ id, references: [...references] }));
  const archive = context.images.save(images, { signal: request.signal });
  for (const { id } of images) tellImage(context, 'save', id, id);
  return { kind: 'stream', contentType: 'application/x-tar', write: streamOf(archive) };
}

/** A repository without a tag means all its tags; an ID, the image without a name (moby image/tarexport, `parseNames`). */
function imagesNamed(
  context: DockerApiContext,
  name: string,
): readonly { id: string; references: readonly string[] }[] {
  const reference = canonical(name);
  const untagged = reference?.text !== undefined && reference.bare;
  const repository = reference?.text.replace(/:[^:/]*$/, '');
  const belongs = (candidate: string): boolean =>
    untagged ? candidate.replace(/:[^:/]*$/, '') === repository : candidate === reference?.text;
  const named = context.images.list().flatMap((image: ImageRecord) => {
    const references = image.references.filter(belongs);
    return references.length === 0 ? [] : [{ id: image.id, references }];
  });
  if (named.length > 0) return named;
  const image = context.images.find(name);
  if (image !== undefined) return [{ id: image.id, references: [] }];
  const text = untagged ? `No such image: ${name}` : 'reference does not exist';
  throw new BerthError('not-found', 'docker.no-image', text);
}

function canonical(name: string): { readonly text: string; readonly bare: boolean } | undefined {
  try {
    return { text: formatReference(parseReference(name)), bare: !/[:@][^/]*$/.test(name) };
  } catch {
    return undefined; // an ID
  }
}
