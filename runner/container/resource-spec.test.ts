import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { deviceNumbers } from './block-devices.ts';
import { resourceShape } from './resource-config.ts';
import { blockDevicePaths, discardedLimits, resourceSpec } from './resource-spec.ts';

const noLimits = z.object(resourceShape).parse({});
const all = ['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb'];

test('no limits are nothing', () => {
  expect(resourceSpec(noLimits, all)).toEqual({});
  expect(discardedLimits(noLimits, [])).toEqual([]);
});

test('each limit is in the spec, or named as discarded', () => {
  const config = {
    ...noLimits,
    memoryBytes: 100,
    memorySwapBytes: -1,
    memoryReservationBytes: 50,
    pidsLimit: 3,
    cpuShares: 512,
    nanoCpus: 1_500_000_000,
    cpusetCpus: '0',
    cpusetMems: '0',
    blockWeight: 100,
    blockReadBytesPerSecond: [{ path: '/dev/sda', rate: 9 }],
    hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    unifiedLimits: { 'memory.high': '90' },
  };
  const devices = new Map([['/dev/sda', { major: 8, minor: 0 }]]);
  expect(resourceSpec(config, all, devices)).toEqual({
    memory: { limit: 100, swap: -1, reservation: 50 },
    cpu: { shares: 512, period: 100_000, quota: 150_000, cpus: '0', mems: '0' },
    pids: { limit: 3 },
    blockIO: { weight: 100, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9 }] },
    hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    unified: { 'memory.high': '90' },
  });
  expect(resourceSpec(config, [])).toEqual({});
  expect(discardedLimits(config, []).toSorted()).toEqual(all.toSorted());
  expect(blockDevicePaths(config)).toEqual(['/dev/sda']);
});

test('a device number is taken apart as glibc packs it', () => {
  fc.assert(
    fc.property(fc.nat(0xfff), fc.nat(0xf_ffff), (major, minor) => {
      const [high, low] = [BigInt(major), BigInt(minor)];
      const packed = ((high & 0xfffn) << 8n) | (low & 0xffn) | ((low & ~0xffn) << 12n);
      expect(deviceNumbers(packed)).toEqual({ major, minor });
    }),
  );
});
