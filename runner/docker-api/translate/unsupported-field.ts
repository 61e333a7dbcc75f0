import { BerthError } from '#shared/errors.ts';

/** What the Docker API has, and Berth has not yet. */
export function unsupportedField(what: string): BerthError {
  return new BerthError('unsupported', 'docker.field-unsupported', `${what} is not in this version of Berth`);
}
