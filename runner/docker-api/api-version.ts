import { BerthError } from '#shared/errors.ts';

/** The Docker Engine API that is answered here (specs: docker-engine-api v1.51), and the oldest that is understood. */
export const API_VERSION = '1.51';
export const MIN_API_VERSION = '1.24';

/**
 * A request's path without its `/v1.51` prefix, and that version; the newest without one.
 *
 * @throws BerthError `docker.version-too-new`, `docker.version-too-old`, with dockerd's texts
 */
export function splitVersion(path: string): { readonly version: string; readonly path: string } {
  const match = /^\/v(\d{1,3})\.(\d{1,3})(?=\/)/.exec(path);
  if (match === null) return { version: API_VERSION, path };
  const asked = `${match[1]}.${match[2]}`;
  if (compareVersions(asked, API_VERSION) > 0) {
    throw new BerthError(
      'invalid',
      'docker.version-too-new',
      `client version ${asked} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  }
  if (compareVersions(asked, MIN_API_VERSION) < 0) {
    throw new BerthError(
      'invalid',
      'docker.version-too-old',
      `client version ${asked} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  return { version: asked, path: path.slice(match[0].length) };
}

function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}
