import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { toBase64Url } from '#shared/bytes.ts';
import { BerthError } from '#shared/errors.ts';
import { objectId, objectName } from '#shared/model/names.ts';
import { isErrno, syncDirectory, writeFileAtomic } from '../os/files.ts';

const base64Url32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected 32 bytes in base64url');

/** The two halves of an Ed25519 key as RFC 8037 names them: `x` public, `d` private, 32 bytes in base64url each. */
const key = z.object({ x: base64Url32, d: base64Url32 });

/**
 * identity.json. `pending`: the key was made and a join may have been asked for with it, but its answer is not stored; a
 * repeated join uses the same key, so that a control plane that has already enrolled it can say so again. `joined`: who
 * this host is for ever after.
 */
const identityFile = z.discriminatedUnion('state', [
  z.object({ state: z.literal('pending'), key }),
  z.object({ state: z.literal('joined'), key, hostId: objectId, name: objectName, url: z.url() }),
]);
export type IdentityFile = z.infer<typeof identityFile>;
export type Identity = Extract<IdentityFile, { state: 'joined' }>;

function identityPath(dataRoot: string): string {
  return join(dataRoot, 'identity.json');
}

/**
 * This data root's identity, undefined when it has never asked to join.
 *
 * @throws BerthError `identity.malformed`
 */
export async function readIdentity(dataRoot: string): Promise<IdentityFile | undefined> {
  const path = identityPath(dataRoot);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return identityFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new BerthError('invalid', 'identity.malformed', `${path} is not an identity of this version`, {
      cause,
      remedy: `Restore it from a backup, or remove it and join again: berth runner join URL --token T`,
    });
  }
}

/** Durable when it resolves; readable by its owner alone. */
export async function writeIdentity(dataRoot: string, identity: IdentityFile): Promise<void> {
  await writeFileAtomic(identityPath(dataRoot), `${JSON.stringify(identity, undefined, 2)}\n`, 0o600);
}

/** Forgets the identity for ever. False when there was none; idempotent. */
export async function removeIdentity(dataRoot: string): Promise<boolean> {
  try {
    await unlink(identityPath(dataRoot));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
  await syncDirectory(dataRoot);
  return true;
}

/** A new Ed25519 key. */
export function generateKey(): IdentityFile['key'] {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return key.parse({ x, d });
}

/** Ed25519 signature of a text's UTF-8 (RFC 8032), base64url. */
export function signText(identityKey: IdentityFile['key'], text: string): string {
  const privateKey = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', ...identityKey } });
  return toBase64Url(sign(null, Buffer.from(text), privateKey));
}
