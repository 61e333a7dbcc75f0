import { toBase64Url } from './bytes.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford base 32, lower case

/** A random identifier of `length` base-32 characters (5 bits each); 20 of them are 100 bits. */
export function randomId(length = 20): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  let id = '';
  for (const byte of bytes) id += alphabet.charAt(byte & 31);
  return id;
}

/** A random 256-bit secret in base64url, with a prefix that says what it is (`brt_`, `bjt_`). */
export function randomSecret(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return prefix + toBase64Url(bytes);
}
