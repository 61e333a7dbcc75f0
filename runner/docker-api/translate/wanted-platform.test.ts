import { expect, test } from 'vitest';
import type { ImageRecord } from '../../image/store.ts';
import { checkPlatform } from './wanted-platform.ts';

const image = { config: { os: 'linux', architecture: 'amd64' } } as unknown as ImageRecord;

test.each(['linux/amd64', 'linux', 'amd64', 'linux/x86_64', 'LINUX/AMD64', 'linux/amd64/v2'])('%s is it', (wanted) => {
  expect(() => checkPlatform('busybox', image, wanted)).not.toThrow();
});

test.each(['linux/arm64', 'windows/amd64', 'arm64', 'linux/arm/v7', 'linux/', ''])('%j is not', (wanted) => {
  expect(() => checkPlatform('busybox', image, wanted)).toThrow(
    `image with reference busybox was found but its platform (linux/amd64) does not match the specified platform (${wanted})`,
  );
});
