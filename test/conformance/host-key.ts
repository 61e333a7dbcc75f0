import { toBase64Url } from '#shared/bytes.ts';
import { challengeText } from '#shared/protocol/control.ts';

/** A host's Ed25519 key, as a runner keeps it. */
export interface HostKey {
  /** 32 raw bytes in base64url. */
  readonly publicKey: string;
  /** The signature that answers a challenge, base64url. */
  sign(hostId: string, nonce: string): Promise<string>;
}

export async function newHostKey(): Promise<HostKey> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  return {
    publicKey: toBase64Url(new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))),
    async sign(hostId, nonce) {
      const text = new TextEncoder().encode(challengeText(hostId, nonce));
      return toBase64Url(new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, text)));
    },
  };
}
