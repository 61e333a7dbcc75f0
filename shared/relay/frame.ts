import { BerthError } from '../errors.ts';

/**
 * Relay frames: `u8 kind | u32 stream (big endian) | payload`, one frame a binary WebSocket message.
 *
 * Stream numbers: the client end opens odd ones, the host end even ones; 0 is the connection. WINDOW's payload is a
 * u32 of credit granted, to one stream or (stream 0) to the connection; DATA spends `dataCost` of both. OPEN's payload
 * is a JSON header (`streamHeader`), END's is empty or a JSON trailer, RESET's is a JSON `{ kind, code, message }`. DATA,
 * END of one direction leave the other one open. RESET gives up both: whoever receives one answers with RESET unless it
 * has sent END or RESET on that stream before. A stream is over when both ends have sent END or RESET. The rules are
 * enforced by `RelayLedger`, at both ends and in between.
 */
export const FRAME = { open: 1, data: 2, window: 3, end: 4, reset: 5 } as const;
export type FrameKind = keyof typeof FRAME;

/** Bytes before the payload. */
export const FRAME_HEADER_BYTES = 5;
/** Longest payload of one frame. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
/** Credit that each direction of a new stream has before any WINDOW. */
export const STREAM_WINDOW_BYTES = 256 * 1024;
/** Credit that each direction of a new connection has before any WINDOW on stream 0. */
export const CONNECTION_WINDOW_BYTES = 1024 * 1024;
/** Most streams open at once in one relay; each end may have opened half of them. */
export const MAX_STREAMS = 64;
/** Credit that a DATA frame costs beside its payload: roughly what it costs to hold, so that tiny frames are not free. */
export const DATA_OVERHEAD_BYTES = 64;
/** Longest payload of a RESET. */
export const MAX_RESET_BYTES = 8 * 1024;

/** The credit that a DATA frame with so many payload bytes spends, of its stream and of the connection. */
export function dataCost(payloadBytes: number): number {
  return payloadBytes + DATA_OVERHEAD_BYTES;
}

export interface Frame {
  readonly kind: FrameKind;
  readonly stream: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

const kindOfCode = new Map<number, FrameKind>(
  (Object.keys(FRAME) as FrameKind[]).map((kind) => [FRAME[kind], kind] as const),
);

/** The bytes of one frame. The caller keeps payloads at or under MAX_PAYLOAD_BYTES. */
export function encodeFrame(kind: FrameKind, stream: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FRAME[kind]);
  view.setUint32(1, stream);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/**
 * One frame from the bytes of one WebSocket message; the payload is a view, not a copy.
 *
 * @throws BerthError `relay.malformed` or `relay.frame-too-large`
 */
export function decodeFrame(bytes: Uint8Array<ArrayBuffer>): Frame {
  if (bytes.byteLength < FRAME_HEADER_BYTES) {
    throw new BerthError('invalid', 'relay.malformed', `relay: a frame of ${bytes.byteLength} bytes has no header`);
  }
  if (bytes.byteLength > FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES) {
    throw new BerthError(
      'too-large',
      'relay.frame-too-large',
      `relay: a frame of ${bytes.byteLength} bytes is over the limit of ${FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = kindOfCode.get(view.getUint8(0));
  if (kind === undefined) {
    throw new BerthError('invalid', 'relay.malformed', `relay: unknown frame kind ${view.getUint8(0)}`);
  }
  return { kind, stream: view.getUint32(1), payload: bytes.subarray(FRAME_HEADER_BYTES) };
}
