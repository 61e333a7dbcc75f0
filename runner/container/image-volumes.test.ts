import { expect, test } from 'vitest';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import { imageVolumes } from './image-volumes.ts';

function volumesOf(...paths: readonly string[]): readonly string[] {
  const config: ImageConfig = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [] },
    config: { Volumes: Object.fromEntries(paths.map((path) => [path, {}])) },
  };
  let count = 0;
  return imageVolumes(config, () => `v${(count += 1)}`).map(({ name, destination }) => `${name} ${destination}`);
}

test('each VOLUME of an image is one volume, by its shortest path beneath the root', () => {
  expect(volumesOf()).toEqual([]);
  expect(volumesOf('/data', '/var//lib/', '/data/', 'logs', '/../../etc')).toEqual([
    'v1 /data',
    'v2 /var/lib',
    'v3 /logs',
    'v4 /etc',
  ]);
});

test.each(['/', '', '/a/..', '/../..'])('one at %j is refused', (path) => {
  expect(() => volumesOf(path)).toThrow(expect.objectContaining({ code: 'container.volume-invalid' }) as Error);
});
