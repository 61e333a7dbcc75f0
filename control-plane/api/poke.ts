import { BerthError } from '#shared/errors.ts';
import type { Hub } from '../ports.ts';

/**
 * Tells the hub that the desired state changed. It has been stored by then: when the hub cannot be reached, the answer
 * says so, and the same request may be sent again, because also one that changes nothing pokes.
 *
 * @throws BerthError `hub.unavailable`
 */
export function pokeHub(hub: Hub): Promise<void> {
  return told(hub.poke());
}

/**
 * Tells the hub that a host was removed, which pokes it too.
 *
 * @throws BerthError `hub.unavailable`
 */
export function revokeHost(hub: Hub, hostId: string): Promise<void> {
  return told(hub.revoke(hostId));
}

async function told(telling: Promise<void>): Promise<void> {
  try {
    await telling;
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
