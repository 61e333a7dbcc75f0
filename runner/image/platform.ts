import { BerthError } from '#shared/errors.ts';
import type { Platform } from '#shared/oci/descriptor.ts';

/** Node's names of processor architectures that differ from Go's, which OCI uses (image-spec, config.md, "architecture"). */
const ociNames = new Map<string, string>([
  ['x64', 'amd64'],
  ['ia32', '386'],
]);

/** The architecture of this host in OCI's terms. */
export const hostArchitecture: string = ociNames.get(process.arch) ?? process.arch;

/** Whether this host can run what was built for `platform`. Variants (v7, v8) are not told apart. */
export function runsHere(platform: Pick<Platform, 'os' | 'architecture'>): boolean {
  return platform.os === 'linux' && platform.architecture === hostArchitecture;
}

/** The error for an image of another platform; `name` is how its reader knows it. */
export function wrongPlatform(name: string, offered: readonly string[]): BerthError {
  return new BerthError(
    'invalid',
    'image.wrong-platform',
    `load image ${name}: it is for ${offered.join(', ')}, this host is linux/${hostArchitecture}`,
    { remedy: `Load an image built for linux/${hostArchitecture}.` },
  );
}
