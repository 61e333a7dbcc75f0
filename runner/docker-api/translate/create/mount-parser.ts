import { isBerthError } from '#shared/errors.ts';
import type { ConfiguredMount } from '../../../container/mount-config.ts';
import { ANONYMOUS_LABEL } from '../../../volume/volume-name.ts';
import type { MountBody } from './mount-fields.ts';
import { invalidMount, isMountMode, isPropagation, parseMountMode } from './mount-mode.ts';
import { cleanedPath } from './mount-path.ts';
import { mergeTmpfsOptions, tmpfsWords } from './tmpfs-options.ts';

/** What the parsing of mounts depends on. */
export interface MountParsing {
  /** HostConfig.VolumeDriver; empty: the default. */
  readonly volumeDriver: string;
  /** A new name for a volume that has none. */
  readonly newName: () => string;
  /** True for a path that is there on the host. */
  readonly hostHas: (path: string) => boolean;
  /** Clients before API 1.44 mean what is read-only to be so at its top alone. */
  readonly readonlyNonRecursive: boolean;
  /** Called with a driver that is not `local`; throws. */
  readonly refuseDriver: (driver: string, name: string) => void;
}

/** As dockerd shows a volume that was named in Binds or Mounts without a mode. */
const VOLUME_MODE = 'z';

/**
 * One of HostConfig.Binds: `DESTINATION`, `SOURCE:DESTINATION` or `SOURCE:DESTINATION:MODE`; a source that is no absolute
 * path names a volume (moby volume/mounts, `ParseMountRaw`).
 *
 * @throws BerthError `docker.mount-invalid` with Docker's text
 */
export function parseBind(raw: string, parsing: MountParsing): ConfiguredMount {
  const spec = `invalid volume specification: '${raw.slice(0, 200)}'`;
  const parts = raw.split(':');
  const [first = '', second = '', mode = ''] = parts;
  if (first === '' || parts.length > 3 || (parts.length === 2 && isMountMode(second))) throw invalidMount(spec);
  const [source, target] = parts.length === 1 ? ['', first] : [first, second];
  const { readonly, propagation, copy } = parseMountMode(mode);
  const isBind = source.startsWith('/');
  try {
    const destination = checkedTarget(isBind ? 'bind' : 'volume', target);
    if (isBind) {
      const readonlyRecursive = !parsing.readonlyNonRecursive;
      const base = { kind: 'bind', destination, readonly, mode, source: cleanedPath(source), recursive: true } as const;
      return { ...base, readonlyRecursive, propagation: propagation ?? 'rprivate', createSource: true };
    }
    const name = source === '' ? parsing.newName() : source;
    parsing.refuseDriver(parsing.volumeDriver, name);
    return {
      kind: 'volume',
      name,
      destination,
      readonly,
      copy,
      anonymous: source === '',
      subpath: '',
      mode: mode || VOLUME_MODE,
      ...(propagation === undefined ? {} : { propagation }),
      labels: source === '' ? { [ANONYMOUS_LABEL]: '' } : null,
      driverOptions: null,
    };
  } catch (error) {
    if (isBerthError(error) && error.code === 'docker.mount-invalid') throw invalidMount(`${spec}: ${error.message}`);
    throw error;
  }
}

/**
 * One of HostConfig.Mounts (moby volume/mounts, `ParseMountSpec`).
 *
 * @throws BerthError `docker.mount-invalid` with Docker's text
 */
export function parseMount(body: MountBody, parsing: MountParsing): ConfiguredMount {
  const { Type: type, ReadOnly: readonly } = body;
  const fail = (text: string) => invalidConfig(type, text);
  const destination = checkedTarget(type, body.Target);
  const common = { destination, readonly };
  switch (type) {
    case 'bind':
      return { kind: 'bind', ...common, ...bindOf(body, parsing, fail) };
    case 'volume':
      return { kind: 'volume', ...common, ...volumeOf(body, parsing, fail) };
    case 'tmpfs':
      if (body.BindOptions) throw fail('field BindOptions must not be specified');
      if (body.Source !== '') throw fail('field Source must not be specified');
      return { kind: 'tmpfs', ...common, mode: '', options: tmpfsOf(body, fail), listed: true };
    default:
      throw fail('mount type unknown');
  }
}

type Failure = (text: string) => Error;

function bindOf({ Source: source, BindOptions: options, ...body }: MountBody, parsing: MountParsing, fail: Failure) {
  if (source === '') throw fail('field Source must not be empty');
  const propagation = options?.Propagation || 'rprivate';
  if (!isPropagation(propagation)) throw fail(`invalid propagation mode: ${propagation.slice(0, 80)}`);
  const { ReadOnlyNonRecursive: top = false, ReadOnlyForceRecursive: all = false } = options ?? {};
  if ((top || all) && !body.ReadOnly) throw fail('ReadOnlyNonRecursive and ReadOnlyForceRecursive need ReadOnly');
  if (top && all) throw fail('ReadOnlyNonRecursive and ReadOnlyForceRecursive exclude each other');
  if (body.VolumeOptions) throw fail('field VolumeOptions must not be specified');
  if (!source.startsWith('/')) throw fail(notAbsolute(source));
  const createSource = options?.CreateMountpoint ?? false;
  if (!createSource && !parsing.hostHas(source)) throw fail(`bind source path does not exist: ${source}`);
  return {
    source: cleanedPath(source),
    mode: '',
    recursive: !(options?.NonRecursive ?? false),
    readonlyRecursive: all || !(top || parsing.readonlyNonRecursive),
    propagation,
    createSource,
  };
}

function volumeOf(
  { Source: source, VolumeOptions: options, ...body }: MountBody,
  parsing: MountParsing,
  fail: Failure,
) {
  const subpath = options?.Subpath ?? '';
  if (body.BindOptions) throw fail('field BindOptions must not be specified');
  if (source === '' && body.ReadOnly) throw fail('must not set ReadOnly mode when using anonymous volumes');
  if (source === '' && subpath !== '') throw fail('must not set Subpath when using anonymous volumes');
  if (subpath !== '' && !isLocal(subpath)) throw fail('subpath must be a relative path within the volume');
  const name = source === '' ? parsing.newName() : source;
  parsing.refuseDriver(options?.DriverConfig?.Name ?? '', name);
  return {
    name,
    anonymous: source === '',
    copy: !(options?.NoCopy ?? false),
    subpath,
    mode: VOLUME_MODE,
    labels: source === '' ? { ...options?.Labels, [ANONYMOUS_LABEL]: '' } : (options?.Labels ?? null),
    driverOptions: options?.DriverConfig?.Options ?? null,
  };
}

function tmpfsOf({ TmpfsOptions: options }: MountBody, fail: Failure): string[] {
  try {
    return mergeTmpfsOptions(tmpfsWords(options));
  } catch (error) {
    throw isBerthError(error) ? fail(error.message) : error;
  }
}

/** @throws BerthError `docker.mount-invalid` */
export function checkedTmpfsTarget(target: string): string {
  if (cleanedPath(target) === '/') throw invalidMount(targetIsRoot);
  if (!target.startsWith('/')) throw invalidMount(notAbsolute(target));
  return cleanedPath(target);
}

const targetIsRoot = "invalid specification: destination can't be '/'";

function checkedTarget(type: string, target: string): string {
  if (target === '') throw invalidConfig(type, 'field Target must not be empty');
  if (cleanedPath(target) === '/') throw invalidConfig(type, targetIsRoot);
  if (!target.startsWith('/')) throw invalidConfig(type, notAbsolute(target));
  if (target.includes('\0')) throw invalidConfig(type, 'the destination has a NUL character');
  return cleanedPath(target);
}

function notAbsolute(path: string): string {
  return `invalid mount path: '${path.slice(0, 200)}' mount path must be absolute`;
}

function invalidConfig(type: string, why: string): Error {
  return invalidMount(`invalid mount config for type ${JSON.stringify(type.slice(0, 40))}: ${why}`);
}

function isLocal(path: string): boolean {
  const normal = cleanedPath(path);
  return !normal.startsWith('/') && normal !== '..' && !normal.startsWith('../') && !normal.includes('\0');
}
