import { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { BerthError } from '#shared/errors.ts';
import { sniffed } from './sniffed-stream.ts';

const sniffBytes = 512;

const magics: readonly { readonly kind: string; readonly at: number; readonly bytes: readonly number[] }[] = [
  { kind: 'a zstd stream', at: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { kind: 'an xz stream', at: 0, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { kind: 'a bzip2 stream', at: 0, bytes: [0x42, 0x5a, 0x68] },
  { kind: 'a zip archive', at: 0, bytes: [0x50, 0x4b, 0x03, 0x04] },
  { kind: 'an ELF program', at: 0, bytes: [0x7f, 0x45, 0x4c, 0x46] },
  { kind: 'a squashfs image', at: 0, bytes: [0x68, 0x73, 0x71, 0x73] },
  { kind: 'gzip data', at: 0, bytes: [0x1f, 0x8b] },
];

/** What a stream's first bytes say that it is, for people. */
function describeBytes(start: Uint8Array): string {
  if (start.length === 0) return 'an empty stream';
  const magic = magics.find(({ at, bytes }) => bytes.every((byte, index) => start[at + index] === byte));
  if (magic !== undefined) return magic.kind;
  const text = start.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127));
  return text ? 'text' : 'data of no known format';
}

const acceptedArchives = 'a docker-archive, an OCI image layout in a tar, or a rootfs tar, each plain, gzip or zstd';

/** @param found what it is instead, for people */
export function unknownArchive(found: string, remedy?: string): BerthError {
  const message = `load image: found ${found}; accepted are ${acceptedArchives}`;
  return new BerthError('invalid', 'image.archive-unknown', message, {
    remedy: remedy ?? 'Save the image with `docker save` or as an OCI archive.',
  });
}

/** An archive's stream, of which the first bytes have been looked at. */
export interface ArchiveSource {
  /** The whole, from its first byte, no longer zstd if it was. */
  readonly stream: Readable;
  /** What its first bytes are. */
  readonly description: string;
}

/** Looks at the first bytes; only the streams that the unpacker cannot read itself are decompressed here. */
export async function openArchiveSource(archive: Readable): Promise<ArchiveSource> {
  const { start, whole } = await sniffed(archive, sniffBytes);
  const description = describeBytes(start.subarray(0, sniffBytes));
  const stream = Readable.from(whole, { objectMode: false });
  return { stream: description === 'a zstd stream' ? decompressZstd(stream) : stream, description };
}

/** Zstandard's default window limit of 128 MiB bounds the memory. */
function decompressZstd(stream: Readable): Readable {
  const decompressor = createZstdDecompress();
  stream.on('error', (error) => decompressor.destroy(error));
  decompressor.on('close', () => stream.destroy());
  return stream.pipe(decompressor);
}
