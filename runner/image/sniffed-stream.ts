/** A stream, of which the first bytes have been looked at. */
export interface SniffedStream {
  /** At least as many bytes as were asked for, unless the stream has fewer. */
  readonly start: Buffer;
  /** All of it, from its first byte. */
  readonly whole: AsyncGenerator<Uint8Array>;
}

/** Reads a stream's first bytes, and gives them back with the rest. */
export async function sniffed(stream: AsyncIterable<Uint8Array>, bytes: number): Promise<SniffedStream> {
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size < bytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    chunks.push(next.value);
    size += next.value.length;
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { start: Buffer.concat(chunks), whole: whole() };
}
