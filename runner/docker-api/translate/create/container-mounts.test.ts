import { expect, test } from 'vitest';
import type { ConfiguredMount } from '../../../container/mount-config.ts';
import { createBody } from '../create-request.ts';
import { containerMounts, mountPoints, type MountSources } from './container-mounts.ts';

let names = 0;
const sources: MountSources = {
  volumeDriver: '',
  newName: () => `new${(names += 1)}`,
  hostHas: (path) => path !== '/missing',
  readonlyNonRecursive: false,
  refuseDriver: (driver) => {
    if (driver !== '') throw new Error(`no driver ${driver}`);
  },
  imageVolumes: [],
  mountsOf: () => [],
};

function mounts(body: object, change: Partial<MountSources> = {}): readonly ConfiguredMount[] {
  return containerMounts(createBody.parse(body), { ...sources, ...change });
}
const bound = (...binds: readonly string[]) => mounts({ HostConfig: { Binds: binds } });
const mounted = (mount: object) => mounts({ HostConfig: { Mounts: [mount] } });

test.each([
  ['/host:/x', { kind: 'bind', source: '/host', destination: '/x', readonly: false, createSource: true }],
  ['/host/../a/:/x/./y/:ro,rslave,z', { source: '/a', destination: '/x/y', readonly: true, propagation: 'rslave' }],
  ['name:/x:nocopy', { kind: 'volume', name: 'name', copy: false, anonymous: false, mode: 'nocopy' }],
  ['name:/x', { mode: 'z', copy: true, readonly: false }],
  ['/x', { kind: 'volume', anonymous: true, destination: '/x', labels: { 'com.docker.volume.anonymous': '' } }],
])('bind %s', (raw, wanted) => {
  expect(bound(raw)).toEqual([expect.objectContaining(wanted)]);
});

test.each(['', ':/x', '/x:ro', 'a:b:c:d', '/x:rw', '/a::ro', '/a:/', '/a:x'])('bind %j is no specification', (raw) => {
  expect(() => bound(raw)).toThrow(`invalid volume specification: '${raw}'`);
});

test.each(['ro,rw', 'z,Z', 'odd', 'rshared,rslave', 'ro,'])('mode %s is none', (mode) => {
  expect(() => bound(`/a:/x:${mode}`)).toThrow(`invalid mode: ${mode}`);
});

test.each([
  [{ Type: 'bind', Target: '/x' }, 'bind', 'field Source must not be empty'],
  [{ Type: 'bind', Source: '/missing', Target: '/x' }, 'bind', 'bind source path does not exist: /missing'],
  [{ Type: 'bind', Source: 'a', Target: '/x' }, 'bind', "invalid mount path: 'a' mount path must be absolute"],
  [
    { Type: 'bind', Source: '/a', Target: '/x', BindOptions: { Propagation: 'odd' } },
    'bind',
    'invalid propagation mode: odd',
  ],
  [
    { Type: 'bind', Source: '/a', Target: '/x', VolumeOptions: {} },
    'bind',
    'field VolumeOptions must not be specified',
  ],
  [{ Type: 'volume', Target: '' }, 'volume', 'field Target must not be empty'],
  [
    { Type: 'volume', Target: '/x', ReadOnly: true },
    'volume',
    'must not set ReadOnly mode when using anonymous volumes',
  ],
  [{ Type: 'volume', Target: '/x', BindOptions: {} }, 'volume', 'field BindOptions must not be specified'],
  [
    { Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: { Subpath: '../a' } },
    'volume',
    'subpath must be a relative path within the volume',
  ],
  [
    { Type: 'volume', Target: '/x', VolumeOptions: { Subpath: 'a' } },
    'volume',
    'must not set Subpath when using anonymous volumes',
  ],
  [{ Type: 'tmpfs', Source: '/a', Target: '/x' }, 'tmpfs', 'field Source must not be specified'],
  [{ Type: 'tmpfs', Target: '/' }, 'tmpfs', "invalid specification: destination can't be '/'"],
  [{ Type: 'npipe', Target: '/x' }, 'npipe', 'mount type unknown'],
])('mount %j is refused', (mount, type, why) => {
  expect(() => mounted(mount)).toThrow(`invalid mount config for type "${type}": ${why}`);
});

test('the options of mounts', () => {
  const options = { NonRecursive: true, CreateMountpoint: true, Propagation: 'shared' };
  expect(mounted({ Type: 'bind', Source: '/missing', Target: '/x', BindOptions: options })).toEqual([
    expect.objectContaining({ recursive: false, createSource: true, propagation: 'shared' }),
  ]);
  const top = { Type: 'bind', Source: '/a', Target: '/x', ReadOnly: true, BindOptions: { ReadOnlyNonRecursive: true } };
  expect(mounted(top)).toEqual([expect.objectContaining({ readonly: true, readonlyRecursive: false })]);
  const volume = { NoCopy: true, Subpath: 'a/./b', Labels: { l: '1' }, DriverConfig: { Options: { type: 'tmpfs' } } };
  expect(mounted({ Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: volume })).toEqual([
    expect.objectContaining({ copy: false, subpath: 'a/./b', labels: { l: '1' }, driverOptions: { type: 'tmpfs' } }),
  ]);
  const tmpfs = { SizeBytes: 4096, Mode: 0o1770, Options: [['exec']] };
  expect(mounted({ Type: 'tmpfs', Target: '/x', TmpfsOptions: tmpfs })).toEqual([
    expect.objectContaining({ options: ['mode=1770', 'size=4096', 'exec'], listed: true }),
  ]);
});

test('one path is mounted once: what was asked for before what others have', () => {
  const giver: ConfiguredMount = {
    kind: 'volume',
    name: 'given',
    destination: '/g',
    readonly: false,
    mode: 'z',
    anonymous: false,
    copy: true,
    subpath: '',
    labels: null,
    driverOptions: null,
  };
  const body = { HostConfig: { VolumesFrom: ['c:ro'], Binds: ['own:/declared'] }, Volumes: { '/g': {}, '/new': {} } };
  const found = mounts(body, { mountsOf: () => [giver], imageVolumes: ['/declared', '/image'] });
  expect(found.map((mount) => [mount.destination, mount.kind === 'volume' && mount.name.slice(0, 3)])).toEqual([
    ['/g', 'giv'],
    ['/declared', 'own'],
    ['/image', 'new'],
    ['/new', 'new'],
  ]);
  expect(found[0]).toMatchObject({ readonly: true, copy: false, mode: '' });
  expect(() => bound('/a:/x', '/b:/x/')).toThrow('Duplicate mount point: /x');
});

test('tmpfs words, each once and the last one counting', () => {
  const tmpfs = (text: string) => mounts({ HostConfig: { Tmpfs: { '/t': text } } })[0];
  expect(tmpfs('ro,size=1m,rw,size=2m,defaults')).toMatchObject({ options: ['rw', 'size=2m'], listed: false });
  expect(() => tmpfs('size=1m,odd=1')).toThrow('invalid tmpfs option ["odd" "1"]');
  expect(() => tmpfs('odd')).toThrow('invalid tmpfs option ["odd"]');
});

test('what inspect tells: volumes with their place, a tmpfs only when it was a mount', () => {
  const found = mounts({
    HostConfig: { Binds: ['v:/v:ro', '/a:/b'], Tmpfs: { '/t': '' }, Mounts: [{ Type: 'tmpfs', Target: '/m' }] },
  });
  expect(mountPoints({ mounts: [...found] }, (name) => `/volumes/${name}`)).toEqual([
    {
      Type: 'volume',
      Name: 'v',
      Source: '/volumes/v',
      Destination: '/v',
      Driver: 'local',
      Mode: 'ro',
      RW: false,
      Propagation: '',
    },
    { Type: 'bind', Source: '/a', Destination: '/b', Mode: '', RW: true, Propagation: 'rprivate' },
    { Type: 'tmpfs', Source: '', Destination: '/m', Mode: '', RW: true, Propagation: '' },
  ]);
});
