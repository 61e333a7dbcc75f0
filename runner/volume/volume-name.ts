import { randomBytes } from 'node:crypto';
import { BerthError } from '#shared/errors.ts';

/** The label of a volume that nobody gave a name; prune takes only these. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

/**
 * Checks the name of a volume, which is also that of its directory (moby volume/local, `validateName`).
 *
 * @throws BerthError `volume.name-invalid` with Docker's text
 */
export function checkVolumeName(name: string): void {
  if (name.length === 1)
    throw invalid('volume name is too short, names should be at least two alphanumeric characters');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    const shown = JSON.stringify(name.slice(0, 255));
    throw invalid(
      `${shown} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
        'If you intended to pass a host directory, use absolute path',
    );
  }
  if (name.length > 255) throw invalid('volume name is too long, names should be at most 255 characters');

  function invalid(why: string): BerthError {
    return new BerthError('invalid', 'volume.name-invalid', `create ${name.slice(0, 255)}: ${why}`);
  }
}

/** A name that no other volume has: 64 hex digits. */
export function anonymousName(): string {
  return randomBytes(32).toString('hex');
}
