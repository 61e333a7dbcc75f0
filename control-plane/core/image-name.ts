import { formatReference, parseReference } from '#shared/oci/reference.ts';

/** An image's name as hosts report it: a canonical reference, or an image ID (`sha256:…`), which stays as it is. */
export function canonicalImageName(name: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(name)) return name;
  try {
    return formatReference(parseReference(name));
  } catch {
    return name; // no host has it by this name; what is applied was checked (gitops/compose/service.ts)
  }
}
