import type { Readable } from 'node:stream';
import type { ImageConfig } from '#shared/oci/image-config.ts';

/** What is the same of an image in every form. */
export interface ImageFacts {
  /** Digest of the config: `sha256:…`. */
  readonly id: string;
  /** Canonical references (`docker.io/library/hello:1`). */
  readonly references: readonly string[];
  readonly sizeBytes: number;
  readonly createdAtMs: number;
}

export interface ImageRecord extends ImageFacts {
  readonly config: ImageConfig;
  /** Unpacked layer directories, lowest first. */
  readonly layerDirectories: readonly string[];
}

/** The images of one host: blobs and layers are files named by digest; a layer appears whole or not at all. */
export interface ImageStore {
  /**
   * Reads an archive (docker-archive, OCI archive, or a bare rootfs tar; each plain or gzip) and stores its images.
   * `reference` names a rootfs tar, or overrides a single image's name.
   *
   * @throws BerthError `image.archive-corrupt` (digest mismatch, naming the blob), `image.archive-unknown`,
   * `image.layer-escapes`, `image.layer-too-large`, `image.wrong-platform`, `image.reference-invalid`,
   * `image.reference-ambiguous`, `image.layer-unsupported`, `image.media-type-unsupported`, `image.no-space`; nothing of
   * a failed archive becomes visible
   */
  load(
    archive: Readable,
    options: { reference?: string; signal?: AbortSignal; onProgress?: (message: string) => void },
  ): Promise<readonly ImageRecord[]>;
  /** By reference (short forms allowed: `hello`, `hello:1`), image ID or unique prefix of its digits. */
  find(reference: string): ImageRecord | undefined;
  list(): readonly ImageRecord[];
  /** @throws BerthError `image.unknown`, `image.in-use` for the last name of one that a guard tells a user of */
  remove(reference: string): Promise<void>;
  /**
   * Asks `userOf` for what uses an image (`running container 0123456789ab (web)`) before that is removed; undefined: nothing
   * does. Answer and removal are one step: no user can come in between.
   */
  guard(userOf: (imageId: string) => string | undefined): Disposable;
  /** Called after each stored change. */
  onChange(listener: () => void): Disposable;
}
