import { z } from 'zod';

/** An OCI digest of the one algorithm that we use (image-spec, descriptor.md, "Digests"): `sha256:` and 64 hex digits. */
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256:<64 hex digits>');
export type Digest = z.infer<typeof digest>;

/** Bytes as lower-case hexadecimal. */
function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** The sha256 of bytes or of a text's UTF-8, as an OCI digest. */
export async function sha256(data: string | Uint8Array<ArrayBuffer>): Promise<Digest> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  return `sha256:${toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))}`;
}
