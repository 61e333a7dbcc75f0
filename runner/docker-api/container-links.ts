import { BerthError, isBerthError } from '#shared/errors.ts';
import type { NetworkConfig } from '../container/network-config.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import type { HostConfigBody } from './translate/create-request.ts';
import { linkTexts } from './translate/create/names.ts';

/**
 * The containers that a creation links to, which must be there.
 *
 * @throws BerthError `docker.names-invalid` with dockerd's text
 */
export function requireLinks(context: DockerApiContext, host: HostConfigBody): NetworkConfig['legacyLinks'] {
  return linkTexts(host).map(({ container, alias }) => {
    const { id, config } = linked(context, container);
    return { containerId: id, name: config.name, alias };
  });
}

function linked(context: DockerApiContext, reference: string): ReturnType<typeof requireContainer> {
  try {
    return requireContainer(context, reference);
  } catch (error) {
    if (!isBerthError(error)) throw error;
    // Not 404, which clients take for a missing image.
    const text = `could not get container for ${reference.slice(0, 160)}: ${error.message}`;
    throw new BerthError('invalid', 'docker.names-invalid', text, { cause: error });
  }
}
