import { posix } from 'node:path';
import { BerthError } from '#shared/errors.ts';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import { ANONYMOUS_LABEL } from '../volume/volume-name.ts';
import type { ConfiguredVolume } from './mount-config.ts';

/** A whole volume that nobody gave a name. */
export function anonymousVolume(name: string, destination: string): ConfiguredVolume {
  const labels = { [ANONYMOUS_LABEL]: '' };
  const whole = { readonly: false, mode: '', copy: true, subpath: '', labels, driverOptions: null };
  return { kind: 'volume', name, destination, anonymous: true, ...whole };
}

/**
 * The VOLUMEs of an image, as a container has them of which nothing else was said.
 *
 * @param newName gives a name that no other volume has
 * @throws BerthError `container.volume-invalid` for one at the root
 */
export function imageVolumes({ config }: ImageConfig, newName: () => string): readonly ConfiguredVolume[] {
  const paths = Object.keys(config?.Volumes ?? {}).map((path) => posix.resolve('/', path));
  if (paths.includes('/')) {
    throw new BerthError('invalid', 'container.volume-invalid', 'image: a VOLUME of it is the root directory', {
      remedy: 'Build the image without that VOLUME.',
    });
  }
  return [...new Set(paths)].map((path) => anonymousVolume(newName(), path));
}
