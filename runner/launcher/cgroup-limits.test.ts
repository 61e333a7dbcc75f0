import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cgroupFiles, changedFiles, ioWeight, type CgroupFile } from './cgroup-limits.ts';

const device = { major: 8, minor: 16 };

test('block limits are written to both kinds of weight and to io.max', () => {
  const resources = {
    blockIO: {
      weight: 500,
      weightDevice: [{ ...device, weight: 10 }],
      throttleReadBpsDevice: [{ ...device, rate: 1024 }],
      throttleWriteIOPSDevice: [{ ...device, rate: 0 }],
    },
  };
  expect(cgroupFiles(resources, ['io'])).toEqual([
    ['io.weight', 'default 4950'],
    ['io.weight', '8:16 1'],
    ['io.max', '8:16 rbps=1024'],
    ['io.max', '8:16 wiops=max'],
  ]);
  expect(cgroupFiles(resources, ['io'], ['io.bfq.weight', 'io.max'])).toEqual([
    ['io.bfq.weight', 'default 500'],
    ['io.bfq.weight', '8:16 10'],
    ['io.max', '8:16 rbps=1024'],
    ['io.max', '8:16 wiops=max'],
  ]);
  // The weight of one device is refused by io.weight where only BFQ heeds it.
  expect(cgroupFiles(resources, ['io'], ['io.bfq.weight', 'io.weight'])).toEqual([
    ['io.bfq.weight', 'default 500'],
    ['io.weight', 'default 4950'],
    ['io.bfq.weight', '8:16 10'],
  ]);
  expect(cgroupFiles(resources, [], ['io.max'])).toEqual([]);
});

test('huge pages, and files as they are', () => {
  const resources = { hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }], unified: { 'memory.high': '1000' } };
  expect(cgroupFiles(resources, ['hugetlb', 'memory'])).toEqual([
    ['hugetlb.2MB.max', '4194304'],
    ['memory.high', '1000'],
  ]);
  const files = ['hugetlb.2MB.max', 'hugetlb.2MB.rsvd.max'];
  expect(cgroupFiles(resources, ['hugetlb'], files).map(([name]) => name)).toEqual(files);
});

test("a block weight becomes an I/O weight within the kernel's bounds that never falls", () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 1000 }), fc.nat(50), (weight, more) => {
      expect(ioWeight(weight)).toBeGreaterThanOrEqual(1);
      expect(ioWeight(weight)).toBeLessThanOrEqual(10_000);
      expect(ioWeight(weight + more)).toBeGreaterThanOrEqual(ioWeight(weight));
    }),
  );
  expect([10, 1000].map(ioWeight)).toEqual([1, 10_000]);
});

test('limits of a device are taken away one by one', () => {
  const before: readonly CgroupFile[] = [
    ['io.bfq.weight', 'default 500'],
    ['io.bfq.weight', '8:16 10'],
    ['io.max', '8:16 rbps=1024'],
    ['io.max', '8:16 wiops=9'],
    ['hugetlb.2MB.max', '0'],
  ];
  expect(changedFiles(before, [['io.max', '8:16 rbps=2048']])).toEqual([
    ['io.bfq.weight', 'default 100'],
    ['io.bfq.weight', '8:16 default'],
    ['io.max', '8:16 wiops=max'],
    ['hugetlb.2MB.max', 'max'],
    ['io.max', '8:16 rbps=2048'],
  ]);
  expect(changedFiles(before, before)).toEqual([]);
});

test('what a change writes makes the one set of limits the other', () => {
  const names = ['memory.max', 'cpu.max', 'pids.max', 'cpu.weight'];
  const unlimited: Readonly<Record<string, string>> = {
    'memory.max': 'max',
    'cpu.max': 'max 100000',
    'pids.max': 'max',
    'cpu.weight': '100',
  };
  const limits = fc.dictionary(fc.constantFrom(...names), fc.nat(1000).map(String));
  const files = (of: Readonly<Record<string, string>>): readonly CgroupFile[] => Object.entries(of);
  fc.assert(
    fc.property(limits, limits, (before, after) => {
      const cgroup = { ...unlimited, ...before };
      const writes = changedFiles(files(before), files(after));
      expect({ ...cgroup, ...Object.fromEntries(writes) }).toEqual({ ...unlimited, ...after });
      expect(changedFiles(files(after), files(after))).toEqual([]);
    }),
  );
});
