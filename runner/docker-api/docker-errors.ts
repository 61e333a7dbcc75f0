import { BerthError } from '#shared/errors.ts';
import { familiarReference, parseReference } from '#shared/oci/reference.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { unknownNetwork } from '../network/host-networks.ts';
import type { NetworkRecord } from '../network/network-record.ts';
import type { DockerApiContext } from './context.ts';
import type { ImageRecord } from '../image/store.ts';

/** @throws BerthError `docker.no-container` with dockerd's text */
export function requireContainer({ engine }: Pick<DockerApiContext, 'engine'>, reference: string): ContainerRecord {
  // A name is told with its slash, and also found by it.
  const record = engine.find(reference) ?? engine.find(reference.replace(/^\//, ''));
  if (record !== undefined) return record;
  throw new BerthError('not-found', 'docker.no-container', `No such container: ${reference.slice(0, 160)}`);
}

/** @throws BerthError `network.unknown` with dockerd's text, `network.ambiguous` */
export function requireNetwork({ network }: Pick<DockerApiContext, 'network'>, reference: string): NetworkRecord {
  const found = network.find(reference);
  if (found === undefined) throw unknownNetwork(reference);
  return found;
}

/** @throws BerthError `docker.no-image` with dockerd's text */
export function requireImage({ images }: Pick<DockerApiContext, 'images'>, reference: string): ImageRecord {
  const image = images.find(reference);
  if (image !== undefined) return image;
  throw new BerthError('not-found', 'docker.no-image', `No such image: ${withTag(reference)}`);
}

function withTag(reference: string): string {
  try {
    return familiarReference(parseReference(reference));
  } catch {
    return reference.slice(0, 160);
  }
}

export function nameConflict(name: string, holder: string): BerthError {
  return new BerthError(
    'conflict',
    'docker.name-conflict',
    `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
  );
}

/** @throws BerthError `docker.name-invalid` */
export function checkName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return;
  throw new BerthError(
    'invalid',
    'docker.name-invalid',
    `Invalid container name (${name.slice(0, 80)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}

export function notRunning({ id }: ContainerRecord): BerthError {
  return new BerthError('conflict', 'docker.not-running', `container ${id} is not running`);
}

/** Of what needs a running container while it waits for its next start. */
export function restarting({ id }: ContainerRecord): BerthError {
  const text = `Container ${id} is restarting, wait until the container is running`;
  return new BerthError('conflict', 'docker.restarting', text);
}

/** What a route answers that this version does not have. */
export function notInThisVersion(what: string): BerthError {
  return new BerthError('unsupported', 'docker.not-supported', `${what} is not in this version of Berth`);
}
