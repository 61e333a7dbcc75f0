import type { RuntimeMount } from '#shared/oci/runtime-spec.ts';
import type { ConfiguredMount } from './mount-config.ts';

/** What every container has mounted, and what this one was given, as `runtimeMounts` brings it together. */
export interface MountParts {
  /** /proc, /dev, /sys …, in their order. */
  readonly defaults: readonly RuntimeMount[];
  /** /etc/hosts and its like. */
  readonly files: readonly RuntimeMount[];
  readonly own: readonly RuntimeMount[];
}

/**
 * All mounts in the order of mounting: the defaults, then parents before what lies in them. What a container is given
 * for a path takes the place of what it would have there.
 */
export function runtimeMounts({ defaults, files, own }: MountParts): readonly RuntimeMount[] {
  const taken = new Set(own.map(({ destination }) => destination));
  const isFree = ({ destination }: RuntimeMount): boolean => !taken.has(destination);
  const depth = ({ destination }: RuntimeMount): number => destination.split('/').length;
  const placed = [...files.filter(isFree), ...own].toSorted((a, b) => depth(a) - depth(b));
  return [...defaults.filter(isFree), ...placed];
}

/**
 * What a container is given, as mounts of the runtime spec. A tmpfs takes the place of a volume at the same path.
 *
 * @param volumePath the host directory of a volume's content
 */
export function ownMounts(
  mounts: readonly ConfiguredMount[],
  volumePath: (name: string) => string,
): readonly RuntimeMount[] {
  const tmpfs = new Set(mounts.flatMap(({ kind, destination }) => (kind === 'tmpfs' ? [destination] : [])));
  return mounts
    .filter(({ kind, destination }) => kind === 'tmpfs' || !tmpfs.has(destination))
    .map((mount): RuntimeMount => {
      const { destination, readonly } = mount;
      switch (mount.kind) {
        case 'volume': {
          const options = ['rbind', mount.propagation ?? 'rprivate', ...(readonly ? ['ro', 'rro'] : [])];
          const source = volumePath(mount.name);
          return { destination, type: 'bind', source, options, ...(mount.subpath && { subpath: mount.subpath }) };
        }
        case 'bind': {
          const { source, recursive, readonlyRecursive, propagation } = mount;
          const readonlyWords = readonly ? ['ro', ...(recursive && readonlyRecursive ? ['rro'] : [])] : [];
          const options = [recursive ? 'rbind' : 'bind', propagation, ...readonlyWords];
          return { destination, type: 'bind', source, options };
        }
        case 'tmpfs': {
          const options = ['noexec', 'nosuid', 'nodev', 'rprivate', ...mount.options, ...(readonly ? ['ro'] : [])];
          return { destination, type: 'tmpfs', source: 'tmpfs', options };
        }
        default:
          throw mount satisfies never;
      }
    });
}
