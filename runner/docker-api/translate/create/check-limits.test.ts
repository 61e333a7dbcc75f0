import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainConfig } from '../../../../test/support/plain-container.ts';
import type { ResourceChange } from '../../../container/resource-config.ts';
import { checkLimits, type HostLimits } from './check-limits.ts';
import { parseCpuList } from './cpu-list.ts';
import type { ResourcesBody } from './resource-fields.ts';
import { changesOf, resourcesDocument, resourcesOf } from './resources.ts';

const MEBIBYTE = 2 ** 20;
const able: HostLimits = {
  controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb'],
  cpus: 4,
  swap: true,
  blockWeight: true,
  cpusetCpus: '0-3',
  cpusetMems: '0',
};
const bare: HostLimits = { ...able, controllers: [], swap: false, blockWeight: false, cpusetCpus: '', cpusetMems: '' };

const refused: readonly (readonly [ResourcesBody, string])[] = [
  [{ Memory: 6 * MEBIBYTE - 1 }, 'Minimum memory limit allowed is 6MB'],
  [{ Memory: -1 }, 'Minimum memory limit allowed is 6MB'],
  [
    { Memory: 8 * MEBIBYTE, MemorySwap: 7 * MEBIBYTE },
    'Minimum memoryswap limit should be larger than memory limit, see usage',
  ],
  [{ MemorySwap: 8 * MEBIBYTE }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
  [{ MemoryReservation: MEBIBYTE }, 'Minimum memory reservation allowed is 6MB'],
  [
    { Memory: 8 * MEBIBYTE, MemoryReservation: 9 * MEBIBYTE },
    'Minimum memory limit can not be less than memory reservation limit, see usage',
  ],
  [{ NanoCpus: 1e9, CpuPeriod: 1000 }, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
  [{ NanoCpus: 1e9, CpuQuota: 1000 }, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
  [{ NanoCpus: 4e9 + 1 }, 'Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available'],
  [{ NanoCpus: -1 }, 'Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available'],
  [{ CpuPeriod: 999 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ CpuPeriod: 1e6 + 1 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ CpuQuota: 999 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
  [{ CpuShares: -2 }, 'shares: invalid argument'],
  [{ CpuRealtimePeriod: 1 }, 'kernel does not support CPU real-time scheduler'],
  [{ CpusetCpus: '0-' }, 'Invalid value 0- for cpuset cpus: invalid format: 0-'],
  [{ CpusetCpus: '3-5' }, 'Requested CPUs are not available - requested 3-5, available: 0-3'],
  [{ CpusetMems: '1' }, 'Requested memory nodes are not available - requested 1, available: 0'],
  [{ BlkioWeight: 9 }, 'Range of blkio weight is from 10 to 1000'],
  [{ BlkioWeight: 1001 }, 'Range of blkio weight is from 10 to 1000'],
  [{ BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 5 }] }, 'Range of blkio weight is from 10 to 1000'],
  [{ IOMaximumIOps: 1 }, 'Invalid QoS settings: linux does not support configuration of maximum IOPs'],
  [{ Ulimits: [{ Name: 'files', Soft: 1, Hard: 1 }] }, 'invalid ulimit type: files'],
  [
    { Ulimits: [{ Name: 'nofile', Soft: 3, Hard: 2 }] },
    'ulimit soft limit must be less than or equal to hard limit: 3 > 2',
  ],
  [
    { Ulimits: [{ Name: 'core', Soft: -1, Hard: 2 }] },
    'ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 2',
  ],
];

test.each(refused)('%j is refused', (body, message) => {
  expect(() => checkLimits(body, able, 'create')).toThrow(message);
});

test('what makes sense on this host is left as it is', () => {
  const bodies: readonly ResourcesBody[] = [
    { Memory: 6 * MEBIBYTE, MemorySwap: -1 },
    { Memory: 6 * MEBIBYTE, MemorySwap: 6 * MEBIBYTE, MemoryReservation: 6 * MEBIBYTE },
    { NanoCpus: 4e9, CpuShares: 1, CpuQuota: -1 },
    { CpusetCpus: '0,2-3', CpusetMems: '0', PidsLimit: -1, BlkioWeight: 10 },
    { Ulimits: [{ Name: 'memlock', Soft: -1, Hard: -1 }] },
  ];
  for (const body of bodies) {
    expect(checkLimits(body, able, 'create')).toEqual({ limits: { ...body, OomKillDisable: null }, warnings: [] });
  }
  expect(() => checkLimits({ MemorySwap: 8 * MEBIBYTE }, able, 'update')).not.toThrow();
});

test('without controllers everything is discarded, with a warning each; a share of processors is refused', () => {
  const rate = [{ Path: '/dev/sda', Rate: 1 }];
  const body: ResourcesBody = {
    Memory: 8 * MEBIBYTE,
    MemorySwap: 9 * MEBIBYTE,
    MemoryReservation: 7 * MEBIBYTE,
    KernelMemory: 5,
    MemorySwappiness: 50,
    OomKillDisable: true,
    PidsLimit: 5,
    CpuShares: 5,
    CpuQuota: 5000,
    CpuPercent: 3,
    CpusetCpus: '77',
    BlkioWeight: 100,
    BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 20 }],
    BlkioDeviceReadBps: rate,
    BlkioDeviceWriteBps: rate,
    BlkioDeviceReadIOps: rate,
    BlkioDeviceWriteIOps: rate,
  };
  const { limits, warnings } = checkLimits(body, bare, 'create');
  expect(warnings.map((text) => text.replace(' or the cgroup is not mounted', ''))).toEqual([
    'Your kernel does not support memory limit capabilities. Limitation discarded.',
    'Your kernel does not support memory swappiness capabilities. Memory swappiness discarded.',
    'Your kernel does not support memory soft limit capabilities. Limitation discarded.',
    'Your kernel does not support kernel memory limit capabilities. Limitation discarded.',
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    'Your kernel does not support pids limit capabilities. PIDs limit discarded.',
    'Your kernel does not support CPU shares. Shares discarded.',
    'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
    'linux does not support CPU percent. Percent discarded.',
    'Your kernel does not support cpuset. Cpuset discarded.',
    'Your kernel does not support Block I/O weight. Weight discarded.',
    'Your kernel does not support Block I/O weight_device. Weight-device discarded.',
    'Your kernel does not support BPS Block I/O read limit. Block I/O BPS read limit discarded.',
    'Your kernel does not support BPS Block I/O write limit. Block I/O BPS write limit discarded.',
    'Your kernel does not support IOPS Block read limit. Block I/O IOPS read limit discarded.',
    'Your kernel does not support IOPS Block write limit. Block I/O IOPS write limit discarded.',
  ]);
  const { memorySwapBytes, rlimits, ...rest } = resourcesOf(limits);
  expect({ memorySwapBytes, rlimits }).toEqual({ memorySwapBytes: -1, rlimits: [] });
  expect(Object.values(rest).every((value) => Object.keys(value ?? {}).length === 0)).toBe(true);
  expect(() => checkLimits({ NanoCpus: 1e9 }, bare, 'create')).toThrow('NanoCPUs can not be set');
});

test('memory without swap accounting is limited without swap', () => {
  const { limits, warnings } = checkLimits<ResourcesBody>({ Memory: 8 * MEBIBYTE }, { ...able, swap: false }, 'create');
  expect(limits.MemorySwap).toBe(-1);
  expect(warnings).toEqual([expect.stringContaining('Memory limited without swap.')]);
});

test('a cpu list has the numbers that it names, and nothing else is one', () => {
  const ranges = fc.array(fc.tuple(fc.nat(200), fc.nat(20)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(ranges, (parts) => {
      const text = parts.map(([first, more]) => (more === 0 ? `${first}` : `${first}-${first + more}`)).join(',');
      const wanted = new Set(parts.flatMap(([first, more]) => Array.from({ length: more + 1 }, (_, n) => first + n)));
      expect(parseCpuList(text)).toEqual(wanted);
    }),
  );
  for (const text of ['a', '1-', '-1', '2-1', '1,,2', '1;2', '99999']) expect(parseCpuList(text)).toBeUndefined();
});

test('a cgroup parent is a path of plain names', () => {
  const parent = (CgroupParent: string) => resourcesOf({ CgroupParent }).cgroupParent;
  expect(['', '/', '/batch/night', 'web.slice'].map(parent)).toEqual(['', '', 'batch/night', 'web.slice']);
  const bad = ['..', '/a/../b', 'a//b', 'shims', '.hidden', 'a b', `x/${'a'.repeat(64)}`, 'a/b/c/d/e/f/g'];
  for (const path of bad) expect(() => parent(path)).toThrow('invalid cgroup parent');
});

test('an update changes what it names', () => {
  expect(changesOf({})).toEqual({});
  expect(changesOf({ Memory: 8 * MEBIBYTE, MemorySwap: -1, CpuShares: 0, CpuQuota: -1, PidsLimit: 0 })).toEqual({
    memoryBytes: 8 * MEBIBYTE,
    memorySwapBytes: -1,
    cpuQuotaUs: -1,
    pidsLimit: 0,
  });
});

test('a limit of processes that was lifted is told apart from one that nobody ever said', () => {
  const shown = (...changes: readonly ResourcesBody[]): unknown => {
    const [first = {}, ...later] = changes.map((body) => checkLimits(body, able, 'update').limits);
    const config = later.reduce<ResourceChange>((all, body) => ({ ...all, ...changesOf(body) }), resourcesOf(first));
    return resourcesDocument(plainConfig(config))['PidsLimit'];
  };
  for (const PidsLimit of [undefined, null, 0, -1]) expect(shown({ PidsLimit })).toBeNull();
  expect(shown({ PidsLimit: 20 })).toBe(20);
  expect(shown({}, { CpuShares: 2 })).toBeNull();
  for (const PidsLimit of [0, -1]) expect(shown({ PidsLimit: 20 }, { PidsLimit })).toBe(0);
  expect(shown({}, { PidsLimit: -1 }, { PidsLimit: 5 })).toBe(5);
});
