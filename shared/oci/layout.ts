import { z } from 'zod';
import type { Descriptor } from './descriptor.ts';

/** The marker file `oci-layout` at the root of an image layout (image-spec, image-layout.md). */
export const ociLayout = z.object({ imageLayoutVersion: z.string().startsWith('1.') });

/** A descriptor's tag (image-spec, annotations.md); skopeo and podman write a tag or a whole reference here. */
const refNameAnnotation = 'org.opencontainers.image.ref.name';
/** containerd's and Docker's annotation with the whole reference. */
const containerdNameAnnotation = 'io.containerd.image.name';

/** The name by which a layout's index calls an image: a whole reference where one is given, else perhaps a bare tag. */
export function layoutImageName(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.[containerdNameAnnotation] ?? descriptor.annotations?.[refNameAnnotation];
}
