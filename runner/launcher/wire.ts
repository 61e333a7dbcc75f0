import { BerthError } from '#shared/errors.ts';

/**
 * Messages to and from the C programs: u32 length of the payload, u32 kind, u32 id, payload; little-endian.
 * `runner/launcher/c/protocol.h` is the other side.
 */
export const FRAME_HEADER_BYTES = 12;
/** Longest plan that the launcher takes. */
export const MAX_PLAN_BYTES = 1024 * 1024;
/** Longest request that a shim takes. */
export const MAX_SHIM_REQUEST_BYTES = 256 * 1024 - FRAME_HEADER_BYTES;
/** Longest single string (an argument of execve has the same limit). */
export const MAX_STRING_BYTES = 128 * 1024;
export const MAX_STRINGS = 16_384;

export const SPAWNER_REQUEST = {
  launch: 1,
  bridge: 2,
  removeLink: 3,
  sweep: 4,
  connectLink: 5,
  disconnectLink: 6,
  setGateway: 7,
} as const;
export const REPORT = { warning: 1, failed: 2, started: 3, done: 4 } as const;
export const SHIM_REQUEST = {
  hello: 1,
  signal: 2,
  stop: 3,
  resize: 4,
  exec: 5,
  attach: 6,
  stdin: 7,
  stdinEnd: 8,
  execSignal: 9,
  execResize: 10,
  execKill: 11,
} as const;
/** `enum exec_flag` of protocol.h. */
export const EXEC_FLAG = { stdin: 1, privileged: 2 } as const;
export const SHIM_ANSWER = { ok: 1, failed: 2, info: 3, started: 4, stdout: 5, stderr: 6, exit: 7 } as const;

/** Largest payload that either program ever sends. */
const MAX_ANSWER_BYTES = 64 * 1024;

export interface WireFrame {
  readonly kind: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** One message. */
export function encodeWireFrame(kind: number, id: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.byteLength);
  frame.writeUInt32LE(payload.byteLength, 0);
  frame.writeUInt32LE(kind, 4);
  frame.writeUInt32LE(id, 8);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into messages; holds at most one incomplete message. */
export class WireFrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** @throws BerthError `launcher.protocol` for a length that no message has */
  push(chunk: Buffer): WireFrame[] {
    let bytes = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: WireFrame[] = [];
    while (bytes.byteLength >= FRAME_HEADER_BYTES) {
      const length = bytes.readUInt32LE(0);
      if (length > MAX_ANSWER_BYTES) {
        throw new BerthError(
          'internal',
          'launcher.protocol',
          `launcher: a message of ${length} bytes is over the limit`,
        );
      }
      const end = FRAME_HEADER_BYTES + length;
      if (bytes.byteLength < end) break;
      const payload = bytes.subarray(FRAME_HEADER_BYTES, end);
      frames.push({ kind: bytes.readUInt32LE(4), id: bytes.readUInt32LE(8), payload });
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
    return frames;
  }
}

const FIRST_BYTES = 512;

/** Writes the primitives of the binary plan, one after the other into one buffer that grows. */
export class WireWriter {
  #buffer: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  u32(value: number): this {
    const at = this.#take(4);
    this.#buffer.writeUInt32LE(value >>> 0, at);
    return this;
  }

  u64(value: bigint | number): this {
    const at = this.#take(8);
    this.#buffer.writeBigUInt64LE(BigInt(value), at);
    return this;
  }

  flag(value: boolean): this {
    return this.u32(value ? 1 : 0);
  }

  bytes(value: Uint8Array | readonly number[]): this {
    const at = this.#take(value.length);
    this.#buffer.set(value, at);
    return this;
  }

  /** @throws BerthError `launch.invalid` for a NUL inside, or more than MAX_STRING_BYTES */
  string(value: string): this {
    const byteLength = Buffer.byteLength(value);
    if (value.includes('\0') || byteLength > MAX_STRING_BYTES) {
      const why = value.includes('\0') ? 'holds a NUL byte' : `is longer than ${MAX_STRING_BYTES} bytes`;
      throw new BerthError('invalid', 'launch.invalid', `encode plan: the text "${value.slice(0, 40)}" ${why}`);
    }
    this.u32(byteLength);
    const at = this.#take(byteLength + 1);
    this.#buffer.write(value, at);
    this.#buffer[at + byteLength] = 0;
    return this;
  }

  /** @throws BerthError `launch.invalid` for more than MAX_STRINGS */
  strings(values: readonly string[]): this {
    if (values.length > MAX_STRINGS) {
      throw new BerthError('invalid', 'launch.invalid', `encode plan: a list of ${values.length} texts is too long`);
    }
    this.u32(values.length);
    for (const value of values) this.string(value);
    return this;
  }

  /** The length of what `write` adds, as a u32, and then that. */
  sized(write: (to: this) => void): this {
    const at = this.#take(4);
    write(this);
    this.#buffer.writeUInt32LE(this.#length - at - 4, at);
    return this;
  }

  /** What was written; the writer is done with. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Where the next so many bytes go. */
  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    return at;
  }
}

/** What a C program says about itself: `enum category` of berth.h. */
export const CATEGORY = { general: 0, notFound: 1, notExecutable: 2, user: 3, unsupported: 4, runtime: 5 } as const;

export interface WireReport {
  readonly category: number;
  readonly errno: number;
  readonly value: number;
  readonly operation: string;
  readonly object: string;
}

/** The payload of a report. */
export function decodeReport(payload: Buffer): WireReport {
  const operationLength = payload.readUInt32LE(12);
  const objectAt = 16 + operationLength + 1;
  const objectLength = payload.readUInt32LE(objectAt);
  return {
    category: payload.readUInt32LE(0),
    errno: payload.readInt32LE(4),
    value: payload.readUInt32LE(8),
    operation: payload.toString('utf8', 16, 16 + operationLength),
    object: payload.toString('utf8', objectAt + 4, objectAt + 4 + objectLength),
  };
}
