import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import type { Digest } from '#shared/digest.ts';
import { corrupt } from './archive-image.ts';
import type { ArchiveLayer } from './archive-image.ts';
import { recipeOfTree } from './layer-store.ts';
import type { LayerLimits } from './limits.ts';
import { unpack, unpackFailure } from './unpack.ts';
import type { UnpackedLayer } from './unpack.ts';

type LayerBlob = Extract<ArchiveLayer, { kind: 'blob' }>;

export interface UnpackOptions {
  readonly binary: string;
  readonly limits: LayerLimits;
  readonly signal?: AbortSignal | undefined;
}

const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

async function isZstd(file: FileHandle): Promise<boolean> {
  const start = Buffer.alloc(zstdMagic.length);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  return bytesRead === start.length && start.equals(zstdMagic);
}

function verifyDigest(layer: LayerBlob, found: Digest): void {
  if (layer.expected !== undefined && layer.expected.digest !== found) {
    throw corrupt(`blob ${layer.name}: expected ${layer.expected.digest}, found ${found}`);
  }
}

/** Verifies a blob that need not be unpacked, because its layer is there already. */
export async function verifyBlob(layer: LayerBlob, signal?: AbortSignal): Promise<void> {
  if (layer.expected === undefined) return;
  const hash = createHash('sha256');
  const options = signal === undefined ? {} : { signal };
  await pipeline(createReadStream(layer.path), hash, options);
  verifyDigest(layer, `sha256:${hash.digest('hex')}`);
}

/** The unpacker reads plain tar and gzip itself, from the file; zstd it gets inflated, so the digest is taken here. */
async function unpackZstd(layer: LayerBlob, tree: string, options: UnpackOptions): Promise<UnpackedLayer> {
  const hash = createHash('sha256');
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const decompressor = createZstdDecompress();
  const inflating = pipeline(createReadStream(layer.path), tap, decompressor).then(
    () => undefined,
    (error: unknown) => error,
  );
  const report = await unpack(
    options.binary,
    tree,
    { kind: 'stream', stream: decompressor },
    { ...options, recipe: recipeOfTree(tree) },
  ).catch((error: unknown) => {
    options.signal?.throwIfAborted();
    throw corrupt(`blob ${layer.name}: the zstd stream is damaged: ${String(error)}`, error);
  });
  await inflating;
  if (!report.ok) throw unpackFailure(`layer ${layer.name}`, report);
  return { ...report, digest: `sha256:${hash.digest('hex')}` };
}

async function unpackFile(layer: LayerBlob, tree: string, options: UnpackOptions): Promise<UnpackedLayer> {
  await using file = await open(layer.path);
  if (await isZstd(file)) return unpackZstd(layer, tree, options);
  const report = await unpack(
    options.binary,
    tree,
    { kind: 'file', fd: file.fd },
    { ...options, recipe: recipeOfTree(tree) },
  );
  if (!report.ok) throw unpackFailure(`layer ${layer.name}`, report);
  return report;
}

/**
 * Unpacks a layer's blob into an empty directory and verifies what it was: the blob's digest where the archive states it,
 * and the diffID always.
 *
 * @throws BerthError `image.archive-corrupt`, `image.layer-escapes`, `image.layer-too-large` …
 */
export async function unpackBlob(layer: LayerBlob, tree: string, options: UnpackOptions): Promise<UnpackedLayer> {
  const unpacked = await unpackFile(layer, tree, options);
  verifyDigest(layer, unpacked.digest);
  if (unpacked.diffId !== layer.diffId) {
    throw corrupt(`layer ${layer.name}: expected diffID ${layer.diffId}, found ${unpacked.diffId}`);
  }
  return unpacked;
}
