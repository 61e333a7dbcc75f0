/** A message as it goes over TCP: after its length in two bytes (RFC 1035 section 4.2.2). */
export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Takes messages out of a stream of bytes. It holds at most one that is not complete: 64 KiB. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The messages that these bytes complete. */
  take(bytes: Buffer): readonly Buffer[] {
    const messages: Buffer[] = [];
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (rest.length >= 2) {
      const length = rest.readUInt16BE(0);
      if (rest.length < 2 + length) break;
      messages.push(rest.subarray(2, 2 + length));
      rest = rest.subarray(2 + length);
    }
    this.#rest = rest;
    return messages;
  }
}
