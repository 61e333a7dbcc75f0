import { join } from 'node:path';
import type { RuntimeMount, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { parseMountOptions } from './mount-options.ts';
import type { ContainerOperation } from './operations.ts';

/** The binds of a spec that the launcher makes before an OCI runtime binds them again. */
export interface PreparedBinds {
  readonly operations: readonly ContainerOperation[];
  /** With the place of each as its source. */
  readonly mounts: readonly RuntimeMount[];
}

/**
 * Prepares in the bundle what OCI runtimes cannot do alike, or not at all: a part of a source, whose path must not be
 * resolved twice; a bind that stays a peer of the host's mount, while the runtime sees copies that only follow the host's;
 * one that is read-only with all that is mounted below it, of which runc 1.1 knows nothing.
 */
export function preparedBinds({ mounts }: Pick<RuntimeSpec, 'mounts'>, bundle: string): PreparedBinds {
  const operations: ContainerOperation[] = [];
  const placed = mounts.map((mount): RuntimeMount => {
    const { subpath = '', destination, type, source } = mount;
    if (subpath === '' && !mount.options.some((word) => word === 'rro' || isShared(word))) return mount;
    const name = `bind-${operations.length}`;
    const { recursive, attributes, recursiveAttributes, propagation } = parseMountOptions(type, mount.options);
    operations.push({
      kind: 'bind',
      source,
      subpath,
      destination: `/${name}`,
      idMap: false,
      recursive,
      attributes,
      recursiveAttributes,
      propagation,
    });
    const options = mount.options.filter((word) => word !== 'rro');
    return { destination, type, source: join(bundle, name), options };
  });
  return { operations, mounts: placed };
}

/** What the container's root must be to the host's, for mounts that propagate (as dockerd says it to runc). */
export function rootfsPropagation(
  mounts: readonly RuntimeMount[],
  own: RuntimeSpec['linux']['rootfsPropagation'],
): RuntimeSpec['linux']['rootfsPropagation'] {
  const words = mounts.flatMap(({ options }) => options);
  if (words.some(isShared)) return 'shared';
  return words.some((word) => word === 'slave' || word === 'rslave') ? 'rslave' : own;
}

function isShared(word: string): boolean {
  return word === 'shared' || word === 'rshared';
}
