import { expect, test } from 'vitest';
import type { RuntimeMount } from '#shared/oci/runtime-spec.ts';
import { mountShape } from './mount-config.ts';
import { ownMounts, runtimeMounts } from './mount-spec.ts';

const configured = (mounts: readonly object[]) =>
  ownMounts(mountShape.mounts.parse(mounts), (name) => `/volumes/${name}`);
const plain = (destination: string): RuntimeMount => ({ destination, type: 'x', source: 'y', options: [] });

test('binds, volumes and tmpfs as mounts of the runtime spec', () => {
  expect(
    configured([
      { kind: 'volume', name: 'v', destination: '/v', readonly: true },
      { kind: 'volume', name: 'v', destination: '/part', subpath: 'a/b' },
      { kind: 'bind', source: '/a', destination: '/b', readonly: true, recursive: false, propagation: 'slave' },
      { kind: 'bind', source: '/a', destination: '/c', readonly: true, readonlyRecursive: false },
      { kind: 'tmpfs', destination: '/t', options: ['size=1m', 'exec'] },
    ]),
  ).toEqual([
    { destination: '/v', type: 'bind', source: '/volumes/v', options: ['rbind', 'rprivate', 'ro', 'rro'] },
    { destination: '/part', type: 'bind', source: '/volumes/v', subpath: 'a/b', options: ['rbind', 'rprivate'] },
    { destination: '/b', type: 'bind', source: '/a', options: ['bind', 'slave', 'ro'] },
    { destination: '/c', type: 'bind', source: '/a', options: ['rbind', 'rprivate', 'ro'] },
    {
      destination: '/t',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['noexec', 'nosuid', 'nodev', 'rprivate', 'size=1m', 'exec'],
    },
  ]);
});

test('a tmpfs covers a volume of the same path', () => {
  const found = configured([
    { kind: 'volume', name: 'v', destination: '/t' },
    { kind: 'tmpfs', destination: '/t', listed: false },
  ]);
  expect(found.map(({ type }) => type)).toEqual(['tmpfs']);
});

test('parents come first, and what a container was given takes the place of what it would have', () => {
  const mounts = runtimeMounts({
    defaults: ['/proc', '/dev', '/dev/shm'].map(plain),
    files: ['/etc/hosts', '/etc/hostname'].map(plain),
    own: ['/a/b/c', '/dev/shm', '/etc', '/etc/hosts', '/a'].map(plain),
  });
  expect(mounts.map(({ destination }) => destination)).toEqual([
    ...['/proc', '/dev'],
    ...['/etc', '/a', '/etc/hostname', '/dev/shm', '/etc/hosts', '/a/b/c'],
  ]);
});
