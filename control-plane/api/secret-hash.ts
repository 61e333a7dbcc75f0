import { sha256 } from '#shared/digest.ts';

/**
 * What is stored of a secret, and looked up: its SHA-256 in hexadecimal. Secrets have 256 random bits, so that neither
 * salt nor stretching adds anything, and comparing hashes leaks nothing of the secret by its time.
 */
export async function secretHash(secret: string): Promise<string> {
  return (await sha256(secret)).slice('sha256:'.length);
}
