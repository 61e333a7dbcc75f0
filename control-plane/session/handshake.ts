import type { z } from 'zod';
import { fromBase64Url, toBase64Url } from '#shared/bytes.ts';
import { BerthError } from '#shared/errors.ts';
import { challengeText, type helloMessage } from '#shared/protocol/control.ts';
import type { HostIdentity } from '../ports.ts';

/** A fresh challenge: 32 random bytes, base64url. */
export function freshNonce(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * Checks that a hello answers this connection's challenge with the key that the host enrolled with.
 *
 * @throws BerthError `host.unknown`, `host.revoked` or `host.bad-signature`
 */
export async function verifyHello(
  hello: z.infer<typeof helloMessage>,
  challenge: { readonly hostId: string; readonly nonce: string },
  identity: HostIdentity | undefined,
): Promise<HostIdentity> {
  if (identity === undefined || hello.hostId !== challenge.hostId) {
    throw new BerthError('unauthenticated', 'host.unknown', `control channel: no host has the id ${challenge.hostId}`, {
      remedy: 'Enrol this machine with `berth runner join` and a new token.',
    });
  }
  if (identity.revoked) {
    throw new BerthError('forbidden', 'host.revoked', `control channel: the host ${identity.name} was removed`, {
      remedy: 'Enrol this machine again with `berth runner join` and a new token.',
    });
  }
  if (!(await signedBy(identity, hello.signature, challengeText(challenge.hostId, challenge.nonce)))) {
    throw new BerthError(
      'unauthenticated',
      'host.bad-signature',
      `control channel: the signature of host ${identity.name} does not answer the challenge`,
      { remedy: 'The identity file of this runner is not the one that it enrolled with; enrol again.' },
    );
  }
  return identity;
}

async function signedBy(identity: HostIdentity, signature: string, text: string): Promise<boolean> {
  const bytes = fromBase64Url(signature);
  if (bytes?.byteLength !== 64) return false;
  const key = await crypto.subtle.importKey('raw', identity.publicKey, { name: 'Ed25519' }, false, ['verify']);
  return crypto.subtle.verify({ name: 'Ed25519' }, key, bytes, new TextEncoder().encode(text));
}
