/** What one layer, or one archive, may cost. A layer that goes beyond is refused with `image.layer-too-large`. */
export interface LayerLimits {
  /** Sum of the contents of all files. */
  readonly contentBytes: number;
  readonly entries: number;
  /** Components of a path. */
  readonly depth: number;
  /** Tar bytes for each compressed byte, looked at beyond the first 64 MiB. */
  readonly ratio: number;
}

/** Far above real images (the largest public ones are near 30 GiB), far below what fills a disk with nothing. */
export const defaultLayerLimits: LayerLimits = {
  contentBytes: 64 * 2 ** 30,
  entries: 4_000_000,
  depth: 256,
  ratio: 500,
};

/** Largest manifest, index or config that is read into memory; OCI registries must accept 4 MiB. */
export const maxMetadataBytes: number = 8 * 2 ** 20;
