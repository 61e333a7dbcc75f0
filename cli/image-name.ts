import { familiarReference, parseReference } from '#shared/oci/reference.ts';

/** An image's name as people write it, without the default registry and namespace; an image ID stays as it is. */
export function familiarImage(name: string): string {
  if (name.startsWith('sha256:')) return name;
  try {
    return familiarReference(parseReference(name));
  } catch {
    return name; // not a reference: shown as it came
  }
}

/** The first 12 digits of an image ID, as docker prints it. */
export function shortImageId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
