/** What a container's root is mounted from. Paths are absolute and on the host. */
export type RootFilesystem =
  | {
      readonly kind: 'overlay';
      /** Layer directories, lowest first. */
      readonly lower: readonly string[];
      /** What the container writes. */
      readonly upper: string;
      /** overlayfs' own. */
      readonly work: string;
    }
  /** A tree of the container's own, complete. */
  | { readonly kind: 'directory'; readonly path: string };
