import { formatReference, parseReference } from '#shared/oci/reference.ts';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import { digestOf } from './archive-image.ts';
import type { ArchiveImage } from './archive-image.ts';
import { hostArchitecture } from './platform.ts';
import type { UnpackedLayer } from './unpack.ts';

/**
 * An image of one layer from a bare root file system, as `docker import` makes it: no command, no environment. Its
 * config holds no time, so that the same tar is always the same image.
 *
 * @throws BerthError `image.reference-invalid`
 */
export function rootfsImage(reference: string, path: string, unpacked: UnpackedLayer): ArchiveImage {
  const config: ImageConfig = {
    architecture: hostArchitecture,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [unpacked.diffId] },
  };
  const configText = JSON.stringify(config);
  return {
    id: digestOf(configText),
    configText,
    config,
    references: [formatReference(parseReference(reference))],
    layers: [{ kind: 'unpacked', diffId: unpacked.diffId, path, unpacked }],
  };
}
