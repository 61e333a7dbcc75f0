import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cgroupFiles, weightOfShares } from './cgroup-limits.ts';
import { encodePlan } from './encode.ts';
import type { LaunchRequest } from './launcher.ts';
import { parseMountOptions } from './mount-options.ts';
import { capabilityMask, parseAddress, planLaunch } from './plan.ts';
import { dockerSpec } from '../../test/launcher/fixture.ts';

const options = {
  cgroupRoot: '/sys/fs/cgroup',
  controllers: ['memory', 'cpu', 'pids'],
  seccompProgram: '/cache/x.bpf',
};

function request(change: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    containerId: 'c'.repeat(64),
    spec: dockerSpec('/berth-x/c', ['true']),
    root: { kind: 'overlay', lower: ['/layers/low', '/layers/high'], upper: '/c/upper', work: '/c/work' },
    user: '',
    additionalGroups: [],
    links: [],
    stateDirectory: '/c/state',
    stdin: false,
    log: { maxBytes: 1000, maxFiles: 2 },
    ...change,
  };
}

describe('planLaunch', () => {
  test('the highest layer comes first, as overlayfs wants it', () => {
    const overlay = planLaunch(request(), options).container.find(({ kind }) => kind === 'overlay');
    expect(overlay).toMatchObject({ lower: ['/layers/high', '/layers/low'], mountPoint: '/c/state' });
  });

  test('masks follow every mount, the pivot follows all of them, execve is last', () => {
    const kinds = planLaunch(request(), options).container.map(({ kind }) => kind);
    expect(kinds.lastIndexOf('filesystem')).toBeLessThan(kinds.indexOf('device'));
    expect(kinds.lastIndexOf('device')).toBeLessThan(kinds.indexOf('mask'));
    expect(kinds.lastIndexOf('mask')).toBeLessThan(kinds.indexOf('pivot'));
    expect(kinds.slice(-3)).toEqual(['pivot', 'cwd', 'exec']);
  });

  test("Docker's capabilities have Docker's mask", () => {
    const security = planLaunch(request(), options).host.find(({ kind }) => kind === 'security');
    expect(security).toMatchObject({ bounding: 0xa80425fbn, permitted: 0xa80425fbn, effective: 0xa80425fbn });
    expect(() => capabilityMask(['CAP_NOTHING'])).toThrow('unknown capability "CAP_NOTHING"');
  });

  test('what it cannot do is refused, not ignored', () => {
    const spec = dockerSpec('/x', ['true']);
    const joined = {
      ...spec,
      linux: { ...spec.linux, namespaces: [{ type: 'network' as const, path: '/proc/1/ns/net' }] },
    };
    expect(() => planLaunch(request({ spec: joined }), options)).toThrow('joining the network namespace');
    const covered = { ...spec, mounts: [{ destination: '/proc/x', type: 'bind', source: '/tmp', options: ['bind'] }] };
    expect(() => planLaunch(request({ spec: covered }), options)).toThrow('must not be covered');
    expect(() =>
      planLaunch(request({ root: { kind: 'overlay', lower: [], upper: '/u', work: '/w' } }), options),
    ).toThrow('at least one layer');
  });

  test('only the first link with a gateway gets the default route', () => {
    const link = { bridge: 'b', hostName: 'v', prefixLength: 16, macAddress: '02:00:00:00:00:01' };
    const links = ['', '10.0.0.1', '10.1.0.1'].map((gateway, index) => ({
      ...link,
      gateway,
      containerName: `eth${index}`,
      address: `10.${index}.0.2`,
    }));
    const gateways = planLaunch(request({ links }), options).container.flatMap((operation) =>
      operation.kind === 'address' ? [operation.gateway] : [],
    );
    expect(gateways).toEqual([[], [10, 0, 0, 1], []]);
  });
});

test('an address is four decimal bytes', () => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      expect(parseAddress(text).join('.')).toBe(text);
    }),
  );
  for (const text of ['', '1.2.3', '1.2.3.256', '1.2.3.4.5', '0x1.2.3.4', '1..2.3', '-1.2.3.4']) {
    expect(() => parseAddress(text)).toThrow('is not an IPv4 address');
  }
});

test('mount options are sorted into attributes, propagation and parameters', () => {
  expect(parseMountOptions('tmpfs', ['nosuid', 'ro', 'rw', 'mode=755', 'huge'])).toEqual({
    bind: false,
    recursive: false,
    attributes: 2,
    propagation: 1 << 18,
    parameters: [
      ['mode', '755'],
      ['huge', ''],
    ],
  });
  expect(parseMountOptions('none', ['rbind', 'rslave', 'ro'])).toMatchObject({
    bind: true,
    recursive: true,
    attributes: 1,
    propagation: 1 << 19,
  });
});

test('limits become cgroup v2 files, those of missing controllers are left out', () => {
  const resources = {
    memory: { limit: 100, swap: 150, reservation: 50 },
    cpu: { shares: 1024, quota: 50_000, period: 100_000, cpus: '0-1' },
    pids: { limit: -1 },
  };
  expect(cgroupFiles(resources, ['memory', 'cpu', 'pids'])).toEqual([
    ['memory.max', '100'],
    ['memory.low', '50'],
    ['memory.swap.max', '50'],
    ['cpu.weight', '100'],
    ['cpu.max', '50000 100000'],
    ['pids.max', 'max'],
  ]);
  expect(cgroupFiles(resources, [])).toEqual([]);
  expect([0, 2, 262_144].map(weightOfShares)).toEqual([1, 1, 10_000]);
});

test("cpu.weight never falls when shares rise, and stays within the kernel's bounds", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300_000 }), fc.integer({ min: 0, max: 1000 }), (shares, more) => {
      const weight = weightOfShares(shares);
      expect(weight).toBeGreaterThanOrEqual(1);
      expect(weightOfShares(shares + more)).toBeGreaterThanOrEqual(weight);
      expect(weight).toBeLessThanOrEqual(10_000);
    }),
  );
});

test('a text with a NUL byte is no argument, and a plan has a limit', () => {
  const withArgs = (args: string[]) => planLaunch(request({ spec: dockerSpec('/x', args) }), options);
  expect(() => encodePlan(withArgs(['a\0b']))).toThrow('holds a NUL byte');
  expect(() => encodePlan(withArgs(['a'.repeat(200_000)]))).toThrow('is longer than 131072 bytes');
  expect(() => encodePlan(withArgs(Array.from({ length: 12 }, () => 'a'.repeat(100_000))))).toThrow('over the limit');
});
