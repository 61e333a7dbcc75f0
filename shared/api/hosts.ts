import { z } from 'zod';
import { hostFacts, hostImage, hostState } from '../model/host.ts';
import { objectId, objectName } from '../model/names.ts';

/** Longest life of a join token, in milliseconds: 30 days. */
export const MAX_JOIN_TOKEN_LIFE_MS = 30 * 24 * 3_600_000;

/** POST /v1/join-tokens: a one-use secret with which one host enrols. Default life one hour. */
export const createJoinTokenRequest = z.object({
  expiresInMs: z.int().min(1).max(MAX_JOIN_TOKEN_LIFE_MS).default(3_600_000),
});
export const createdJoinToken = z.object({ id: objectId, token: z.string(), expiresAtMs: z.int() });

/** POST /v1/hosts/join, with the join token as bearer. */
export const joinRequest = z.object({
  protocol: z.int(),
  name: objectName,
  /** Raw Ed25519 public key, 32 bytes in base64url. */
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected 32 bytes in base64url'),
  facts: hostFacts,
});
export const joinResponse = z.object({ hostId: objectId, name: objectName });

export const hostView = z.object({
  id: objectId,
  name: objectName,
  state: hostState,
  facts: hostFacts,
  images: z.array(hostImage),
  /** Tasks on it that are not terminal. */
  tasks: z.int(),
  joinedAtMs: z.int(),
  /** When it last became connected or stopped being so. */
  changedAtMs: z.int(),
  generation: z.int(),
  /** The newest generation that the host said it holds. */
  appliedGeneration: z.int(),
});
export type HostView = z.infer<typeof hostView>;
export const hostList = z.object({ hosts: z.array(hostView) });

/** GET /v1/images: what the hosts hold, by image ID. */
export const imageView = z.object({
  id: z.string(),
  references: z.array(z.string()),
  sizeBytes: z.int(),
  createdAtMs: z.int(),
  hosts: z.array(objectName),
});
export const imageList = z.object({ images: z.array(imageView) });
