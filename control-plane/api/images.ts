import type { imageView } from '#shared/api/hosts.ts';
import type { HostImage } from '#shared/model/host.ts';
import type { z } from '@hono/zod-openapi';

type ImageView = z.infer<typeof imageView>;

/** The images of all hosts by id, each with the names of those that hold it; ordered by first reference. */
export function imagesOfHosts(
  hosts: readonly { readonly name: string; readonly images: readonly HostImage[] }[],
): ImageView[] {
  const images = new Map<string, ImageView>();
  for (const host of hosts) {
    for (const { id, references, sizeBytes, createdAtMs } of host.images) {
      const known = images.get(id) ?? { id, references: [], sizeBytes, createdAtMs, hosts: [] };
      const all = new Set([...known.references, ...references]);
      images.set(id, { ...known, references: [...all].toSorted(), hosts: [...known.hosts, host.name] });
    }
  }
  const key = (image: ImageView) => `${image.references[0] ?? '~'} ${image.id}`;
  return [...images.values()].toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
