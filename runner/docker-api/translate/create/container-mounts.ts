import { BerthError } from '#shared/errors.ts';
import type { ContainerConfig } from '../../../container/config.ts';
import { anonymousVolume } from '../../../container/image-volumes.ts';
import type { ConfiguredMount } from '../../../container/mount-config.ts';
import type { CreateBody } from '../create-request.ts';
import { invalidMount, isMountMode, isPropagation } from './mount-mode.ts';
import { checkedTmpfsTarget, parseBind, parseMount, type MountParsing } from './mount-parser.ts';
import { cleanedPath } from './mount-path.ts';
import { mergeTmpfsOptions } from './tmpfs-options.ts';

export interface MountSources extends MountParsing {
  /** Paths of the image's VOLUMEs. */
  readonly imageVolumes: readonly string[];
  /** The mounts of another container. @throws BerthError for one that is not there */
  readonly mountsOf: (reference: string) => readonly ConfiguredMount[];
}

/**
 * All that a creation asks to have mounted, by Docker's precedence: a mount at a path that another container's or the
 * image's volume would have takes its place; two that were asked for at one path are an error (moby daemon/volumes.go,
 * `registerMountPoints`).
 *
 * @throws BerthError `docker.mount-invalid`, `docker.no-quota`
 */
export function containerMounts(body: CreateBody, sources: MountSources): ConfiguredMount[] {
  const host = body.HostConfig ?? {};
  refuseQuota(host.StorageOpt);
  const found = new Map<string, ConfiguredMount>();
  const asked = new Set<string>();
  const add = (mount: ConfiguredMount): void => {
    const { destination } = mount;
    if (asked.has(destination)) throw invalidMount(`Duplicate mount point: ${destination}`);
    asked.add(destination);
    found.delete(destination); // it takes the later place in the order, too
    found.set(destination, mount);
  };
  for (const text of host.VolumesFrom ?? []) {
    for (const mount of mountsFrom(text, sources)) {
      found.delete(mount.destination);
      found.set(mount.destination, mount);
    }
  }
  const tmpfs = tmpfsMounts(host.Tmpfs ?? {});
  for (const { destination } of tmpfs) asked.add(destination);
  for (const raw of host.Binds ?? []) add(parseBind(raw, sources));
  for (const { destination } of tmpfs) asked.delete(destination);
  for (const mount of host.Mounts ?? []) add(parseMount(mount, sources));
  for (const path of [...sources.imageVolumes, ...Object.keys(body.Volumes ?? {})]) {
    const destination = volumePath(path);
    if (!found.has(destination)) found.set(destination, newVolume(destination, sources));
  }
  return [...found.values(), ...tmpfs];
}

function newVolume(destination: string, { newName, refuseDriver, volumeDriver }: MountSources): ConfiguredMount {
  const name = newName();
  refuseDriver(volumeDriver, name);
  return anonymousVolume(name, destination);
}

/** `CONTAINER` or `CONTAINER:ro`: its mounts but for tmpfs, at the same places. */
function mountsFrom(text: string, sources: MountSources): readonly ConfiguredMount[] {
  if (text === '') throw invalidMount('volumes-from specification cannot be an empty string');
  const at = text.indexOf(':');
  const [reference, mode] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  const words = mode.split(',');
  if (!isMountMode(mode) || words.some((word) => isPropagation(word) || word === 'nocopy')) {
    throw invalidMount(`invalid mode: ${mode.slice(0, 80)}`);
  }
  return sources.mountsOf(reference).flatMap((mount) => {
    if (mount.kind === 'tmpfs') return [];
    const readonly = mount.readonly || words.includes('ro');
    const taken = { ...mount, readonly, mode: '' };
    return [taken.kind === 'volume' ? { ...taken, copy: false } : taken];
  });
}

function tmpfsMounts(tmpfs: Readonly<Record<string, string>>): readonly ConfiguredMount[] {
  return Object.entries(tmpfs).map(([target, text]) => {
    const destination = checkedTmpfsTarget(target);
    const options = mergeTmpfsOptions(text === '' ? [] : text.split(','));
    return { kind: 'tmpfs', destination, readonly: false, mode: '', options, listed: false };
  });
}

function volumePath(path: string): string {
  const destination = cleanedPath(`/${path}`);
  if (destination === '/') throw invalidMount("invalid specification: destination can't be '/'");
  return destination;
}

/** The data root's file system has no project quotas that we set. */
function refuseQuota(options: Readonly<Record<string, string>> | null | undefined): void {
  if (Object.keys(options ?? {}).length === 0) return;
  const text = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option";
  throw new BerthError('internal', 'docker.no-quota', text);
}

/** The volumes of a container as `Mounts` of inspect and list has them (MountPoint). */
export function mountPoints(
  { mounts }: Pick<ContainerConfig, 'mounts'>,
  volumePathOf: (name: string) => string,
): readonly Readonly<Record<string, unknown>>[] {
  return mounts.flatMap((mount): readonly Readonly<Record<string, unknown>>[] => {
    const { kind, destination, mode, readonly } = mount;
    const rest = { Destination: destination, Mode: mode, RW: !readonly };
    switch (kind) {
      case 'volume': {
        const { name, propagation = '' } = mount;
        const source = { Type: kind, Name: name, Source: volumePathOf(name), Driver: 'local' };
        return [{ ...source, ...rest, Propagation: propagation }];
      }
      case 'bind':
        return [{ Type: kind, Source: mount.source, ...rest, Propagation: mount.propagation }];
      case 'tmpfs':
        return mount.listed ? [{ Type: kind, Source: '', ...rest, Propagation: '' }] : [];
      default:
        throw mount satisfies never;
    }
  });
}
