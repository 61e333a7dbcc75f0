import { open, rm, type FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createDeflateRaw, createGunzip } from 'node:zlib';

/*
 * Rotated files of a log as gzip (RFC 1952), with the inode of the file they were made from in the header's extra field:
 * who reads that file at the moment finds its place in the log again by it.
 */

const chunkBytes = 64 * 1024;
const headerBytes = 10;
/** Length of the extra field, then its one subfield: "BL", its length, the inode. */
const extraBytes = 2 + 4 + 8;

function header(inode: number): Buffer {
  const bytes = Buffer.alloc(headerBytes + extraBytes);
  bytes.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3]); // deflate, with an extra field, of unix
  bytes.writeUInt16LE(extraBytes - 2, headerBytes);
  bytes.write('BL', headerBytes + 2, 'latin1');
  bytes.writeUInt16LE(8, headerBytes + 4);
  bytes.writeBigUInt64LE(BigInt(inode), headerBytes + 6);
  return bytes;
}

/** The inode of the file that a compressed one was made from, undefined when it is none of ours. */
export async function originOf(compressed: FileHandle): Promise<number | undefined> {
  const bytes = Buffer.alloc(headerBytes + extraBytes);
  const { bytesRead } = await compressed.read(bytes, 0, bytes.length, 0);
  if (bytesRead < bytes.length || bytes.toString('latin1', headerBytes + 2, headerBytes + 4) !== 'BL') return undefined;
  return Number(bytes.readBigUInt64LE(headerBytes + 6));
}

/** Writes the compressed form of an open file under a new name; it is on disk when it resolves. */
export async function writeCompressed(from: FileHandle, path: string): Promise<void> {
  const { ino, atime, mtime } = await from.stat();
  await rm(path, { force: true });
  await using to = await open(path, 'wx', 0o600);
  await to.write(header(ino));
  let [checksum, sizeBytes] = [0, 0];
  async function* contents(): AsyncGenerator<Buffer> {
    for await (const chunk of chunksOf(from)) {
      checksum = crc32(chunk, checksum);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }
  // A failure of the source is the deflater's, and so thrown here.
  const deflating = pipeline(Readable.from(contents()), createDeflateRaw(), () => {});
  for await (const chunk of deflating) await to.write(chunk as Buffer);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum, 0);
  trailer.writeUInt32LE(sizeBytes % 2 ** 32, 4);
  await to.write(trailer);
  await to.utimes(atime, mtime); // what is since a time is looked for by the time of the last entry
  await to.sync();
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ;) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const { bytesRead } = await handle.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** What a compressed file holds, in pieces. One that is damaged ends where the damage begins. */
export async function* decompressed(handle: FileHandle): AsyncGenerator<Buffer> {
  const inflating = pipeline(Readable.from(chunksOf(handle)), createGunzip(), () => {});
  try {
    for await (const chunk of inflating) yield chunk as Buffer;
  } catch {
    // the rest is lost; what follows in the other files is not
  } finally {
    inflating.destroy();
  }
}
