import { open, rename, rm, utimes, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { crc32, createDeflateRaw, createGunzip } from 'node:zlib';
import { openLogFile, type LogFile } from './log-files.ts';

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
export async function originOf(file: LogFile): Promise<number | undefined> {
  const handle = await openLogFile(file);
  if (handle === undefined) return undefined;
  await using _ = handle;
  const bytes = Buffer.alloc(headerBytes + extraBytes);
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
  if (bytesRead < bytes.length || bytes.toString('latin1', headerBytes + 2, headerBytes + 4) !== 'BL') return undefined;
  return Number(bytes.readBigUInt64LE(headerBytes + 6));
}

/** Where a compressed file waits for its place; the shim knows the name too. */
function waitingPath(directory: string, baseName: string): string {
  return join(directory, `${baseName}.gz.new`);
}

/**
 * Writes the compressed form of a rotated file, on disk when it resolves, to `BASE.gz.new`. To be put in its place by the
 * shim, or by `placeCompressed` when there is none.
 *
 * @returns the plain file, which the caller closes when that has been done: until then no other file gets its inode.
 * Undefined when it has been rotated away
 */
export async function writeCompressed(
  directory: string,
  baseName: string,
  file: LogFile,
): Promise<FileHandle | undefined> {
  const from = await openLogFile(file);
  if (from === undefined) return undefined;
  try {
    await compress(from, file, waitingPath(directory, baseName));
    return from;
  } catch (error) {
    await from.close();
    throw error;
  }
}

async function compress(from: FileHandle, file: LogFile, path: string): Promise<void> {
  await rm(path, { force: true });
  await using to = await open(path, 'wx', 0o600);
  await to.write(header(file.inode));
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
  await to.sync();
  // What is since a time is looked for by the time of the last entry.
  await utimes(path, file.modifiedAtMs / 1000, file.modifiedAtMs / 1000);
}

/** As the shim does it, for a container that does not run. */
export async function placeCompressed(directory: string, baseName: string, file: LogFile): Promise<void> {
  await rename(waitingPath(directory, baseName), `${file.path}.gz`);
  await rm(file.path, { force: true });
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
