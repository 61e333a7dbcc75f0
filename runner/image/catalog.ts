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
  /** By full ID; undefined when it is not there. */
  detail(id: string): ImageDetail | undefined;
}
