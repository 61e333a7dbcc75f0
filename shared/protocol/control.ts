import { z } from 'zod';
import { digest } from '../digest.ts';
import { MAX_TIMER_MS } from '../duration.ts';
import { assignment, assignmentIncrement, assignmentVersion } from '../model/assignment.ts';
import { hostFacts, hostImage } from '../model/host.ts';
import { objectId } from '../model/names.ts';
import { taskStatus } from '../model/task.ts';
import { relayGrant } from '../relay/header.ts';

/**
 * The control channel: one WebSocket a host, JSON text frames, one message a frame. The order at each connect:
 * control plane `challenge` -> host `hello` -> control plane `welcome`, then either an `assignment` or, when the host's
 * version is current, nothing. The texts `ping` and `pong` (no JSON) are the heartbeat, sent by the host.
 */
export const PROTOCOL_VERSION = 1;

/** Longest text frame either end accepts, in bytes of UTF-8. Over it the receiver closes with `CLOSE.tooLarge`. */
export const MAX_CONTROL_FRAME_BYTES = 8 * 1024 * 1024;

/** The heartbeat's texts, fixed so that a Durable Object answers them without waking up. */
export const PING = 'ping';
export const PONG = 'pong';

/** WebSocket close codes of the control channel (RFC 6455 section 7.4.2: 4000-4999 are private). */
export const CLOSE = {
  protocol: 4400, // bad message or protocol version
  unauthenticated: 4401, // unknown host, bad signature
  revoked: 4403, // the host was removed; do not reconnect
  replaced: 4409, // a newer connection of the same host took over
  tooLarge: 4413, // a frame over the limit
  timeout: 4408, // no hello in time, or no heartbeat
} as const;

/** The text that a host signs with its Ed25519 key: fixed label, host id and the challenge's nonce. */
export function challengeText(hostId: string, nonce: string): string {
  return `berth control channel v${PROTOCOL_VERSION}\n${hostId}\n${nonce}`;
}

// ---- control plane -> host

export const challengeMessage = z.object({
  kind: z.literal('challenge'),
  protocol: z.int(),
  /** 32 random bytes, base64url; one use. */
  nonce: z.string(),
});

export const welcomeMessage = z.object({
  kind: z.literal('welcome'),
  protocol: z.int(),
  sessionId: z.string(),
  /** A heartbeat each so often; the lease lasts `leaseMs` after the last one that was answered. */
  heartbeatMs: z.int().min(1).max(MAX_TIMER_MS),
  leaseMs: z.int().min(1).max(MAX_TIMER_MS),
  /** Highest status sequence number that the control plane has stored for this host. */
  ackedSeq: z.int().min(0),
});

/** The complete set. */
export const assignmentMessage = z.object({
  kind: z.literal('assignment'),
  version: assignmentVersion,
  assignment,
});

/** The change from the assignment with digest `increment.base` to `version`. */
export const incrementMessage = z.object({
  kind: z.literal('increment'),
  version: assignmentVersion,
  increment: assignmentIncrement,
});

/** Status batches up to and with `seq` are stored. */
export const ackMessage = z.object({ kind: z.literal('ack'), seq: z.int().min(0) });

/** Dial out a relay: open a WebSocket to `path` on the control plane with `token` as bearer. */
export const relayMessage = z.object({
  kind: z.literal('relay'),
  relayId: objectId,
  path: z.string(),
  token: z.string(),
  grant: relayGrant,
});

/** Why the control plane is about to close. */
export const refusedMessage = z.object({ kind: z.literal('refused'), code: z.string(), message: z.string() });

export const toHost = z.discriminatedUnion('kind', [
  challengeMessage,
  welcomeMessage,
  assignmentMessage,
  incrementMessage,
  ackMessage,
  relayMessage,
  refusedMessage,
]);
export type ToHost = z.infer<typeof toHost>;

// ---- host -> control plane

export const helloMessage = z.object({
  kind: z.literal('hello'),
  protocol: z.int(),
  hostId: objectId,
  /** Ed25519 signature of `challengeText`, base64url. */
  signature: z.string(),
  facts: hostFacts,
  images: z.array(hostImage),
  /** What the host holds: generation 0 with the digest of the empty assignment when it has never had one. */
  version: assignmentVersion,
});

/** What changed on the host; `seq` counts up by one a batch, from 1, over the host's whole life. */
export const statusMessage = z.object({
  kind: z.literal('status'),
  seq: z.int().min(1),
  tasks: z.array(taskStatus).max(1000),
});

/** The images that the host now holds, all of them. */
export const imagesMessage = z.object({ kind: z.literal('images'), images: z.array(hostImage) });

/** The host holds this version now, durably. */
export const appliedMessage = z.object({ kind: z.literal('applied'), version: assignmentVersion });

/** An increment did not fit what the host holds: send the complete set. */
export const resyncMessage = z.object({ kind: z.literal('resync'), have: digest, reason: z.string() });

export const fromHost = z.discriminatedUnion('kind', [
  helloMessage,
  statusMessage,
  imagesMessage,
  appliedMessage,
  resyncMessage,
]);
export type FromHost = z.infer<typeof fromHost>;
