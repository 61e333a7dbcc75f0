import { BerthError } from '#shared/errors.ts';

/** A spec or request from which no launch can be planned. */
export function invalid(why: string): BerthError {
  return new BerthError('invalid', 'launch.invalid', `plan launch: ${why}`);
}
