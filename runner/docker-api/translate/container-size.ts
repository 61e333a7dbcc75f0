/** Bytes that a container wrote, and with its image's. */
export interface ContainerSize {
  readonly writtenBytes: number;
  readonly rootBytes: number;
}
