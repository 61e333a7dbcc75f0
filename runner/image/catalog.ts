import type { Readable } from 'node:stream';
import type { ImageDraft } from './new-image.ts';
import type { ImageRecord } from './store.ts';

/** An image's config as it is, and how large its layers are: for those who show images. */
export interface ImageDetail {
  /** The config's JSON, to the byte. */
  readonly configText: string;
  /** Content of each layer in bytes, lowest first. */
  readonly layerBytes: readonly number[];
}

/** The names and the particulars of stored images. */
export interface ImageCatalog {
  /** @throws BerthError `image.unknown`, `image.reference-invalid` */
  tag(reference: string, target: string): void;
  /** Takes a name away, also the last, without which the image is still there. */
  untag(reference: string): void;
  /** By full ID; undefined when it is not there. */
  detail(id: string): ImageDetail | undefined;
  /**
   * Stores an image that is made on this host.
   *
   * @throws BerthError `image.unknown`, `image.reference-invalid`, `image.archive-corrupt`, `image.layer-…`
   */
  create(draft: ImageDraft): Promise<ImageRecord>;
  /**
   * One archive of several images (full IDs), each under the given ones of its names. They may be removed while it is read.
   *
   * @throws BerthError `image.unknown`, `image.layer-not-kept`
   */
  save(
    images: readonly { readonly id: string; readonly references: readonly string[] }[],
    options?: { signal?: AbortSignal },
  ): Readable;
}
