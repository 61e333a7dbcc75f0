import { BerthError } from '#shared/errors.ts';
import type { ImageRecord } from '../../image/store.ts';

const architectureNames: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
};

/**
 * Refuses an image that is of another platform than was asked for (`linux/arm64`, `linux/arm/v7`, `arm64`). The variant is
 * left to the image, as its architecture runs here at all.
 *
 * @throws BerthError `docker.no-image` with dockerd's text, by which clients know that they may pull
 */
export function checkPlatform(reference: string, { config }: ImageRecord, wanted: string): void {
  const words = wanted.toLowerCase().split('/');
  const isAlone = words.length === 1 && words[0] !== config.os;
  const [os = '', architecture = config.architecture] = isAlone ? [config.os, ...words] : words;
  if (os === config.os && (architectureNames[architecture] ?? architecture) === config.architecture) return;
  const text =
    `image with reference ${reference.slice(0, 160)} was found but its platform (${config.os}/${config.architecture}) ` +
    `does not match the specified platform (${wanted.slice(0, 80)})`;
  throw new BerthError('not-found', 'docker.no-image', text);
}
