import { BerthError } from '#shared/errors.ts';
import type { Hub } from '../ports.ts';

/**
 * Tells the hub that the desired state changed. It has been stored by then: when the hub cannot be reached, the answer
 * says so, and the same request may be sent again, because also one that changes nothing pokes.
 *
 * @throws BerthError `hub.unavailable`
 */
export async function pokeHub(hub: Hub): Promise<void> {
  try {
    await hub.poke();
  } catch (cause) {
    throw new BerthError(
      'unavailable',
      'hub.unavailable',
      'the change is stored, but its roll-out could not be begun',
      {
        cause,
        remedy: 'Send the request again; otherwise it begins with the next change.',
      },
    );
  }
}
