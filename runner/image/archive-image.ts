import { createHash } from 'node:crypto';
import type { Digest } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import { imageConfig } from '#shared/oci/image-config.ts';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import { runsHere, wrongPlatform } from './platform.ts';
import type { UnpackedLayer } from './unpack.ts';

/** One layer as an archive holds it. */
export type ArchiveLayer =
  | {
      /** A tar, plain, gzip or zstd, in a file. */
      readonly kind: 'blob';
      readonly diffId: Digest;
      readonly path: string;
      /** How a reader of the archive finds it: a member's name or a digest. */
      readonly name: string;
      /** What the manifest says of the blob, where the format says it. */
      readonly expected: { readonly digest: Digest; readonly sizeBytes: number } | undefined;
    }
  | {
      /** The archive itself was the layer, and is unpacked in this directory. */
      readonly kind: 'unpacked';
      readonly diffId: Digest;
      readonly path: string;
      readonly unpacked: UnpackedLayer;
    };

/** One image of an archive: its metadata is verified, its layers are not yet. */
export interface ArchiveImage {
  /** Digest of `configText`. */
  readonly id: Digest;
  readonly configText: string;
  readonly config: ImageConfig;
  /** Canonical references; empty when the archive gives it no name. */
  readonly references: readonly string[];
  readonly layers: readonly ArchiveLayer[];
}

/** The sha256 of a text's UTF-8. */
export function digestOf(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** An archive that contradicts itself, or cannot be read. */
export function corrupt(message: string, cause?: unknown): BerthError {
  return new BerthError('invalid', 'image.archive-corrupt', `load image: ${message}`, {
    remedy: 'Make or copy the archive anew.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Checks an image's config against its layers and this host.
 *
 * @param name how the image or its config is called, for errors
 * @throws BerthError `image.archive-corrupt`, `image.wrong-platform`
 */
export function readImageConfig(configText: string, layerCount: number, name: string): ImageConfig {
  let config: ImageConfig;
  try {
    config = imageConfig.parse(JSON.parse(configText));
  } catch (cause) {
    throw corrupt(`the config of ${name} is no image config: ${String(cause)}`, cause);
  }
  if (!runsHere(config)) throw wrongPlatform(name, [`${config.os}/${config.architecture}`]);
  const stated = config.rootfs.diff_ids.length;
  if (stated !== layerCount) {
    throw corrupt(`the config of ${name} lists ${stated} layers, its manifest ${layerCount}`);
  }
  return config;
}
