import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cgroupFiles, weightOfShares } from './cgroup-limits.ts';
import { encodePlan } from './encode.ts';
import type { RuntimeSpec } from '#shared/oci/runtime-spec.ts';
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
    const withNamespaces = (namespaces: RuntimeSpec['linux']['namespaces'], sysctl = {}) =>
      planLaunch(request({ spec: { ...spec, linux: { ...spec.linux, namespaces, sysctl } } }), options);
    expect(() => withNamespaces([{ type: 'network' }])).toThrow('a mount namespace of its own');
    expect(() => withNamespaces([{ type: 'mount' }, { type: 'mount' }])).toThrow('two mount namespaces');
    expect(() => withNamespaces([{ type: 'mount' }, { type: 'time' }])).toThrow('a time namespace is not supported');
    expect(() => withNamespaces([{ type: 'mount' }, { type: 'user' }])).toThrow('uidMappings');
    expect(() => withNamespaces([{ type: 'mount' }, { type: 'network', path: 'ns/net' }])).toThrow('not absolute');
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

test('a sysctl is one of a namespace that the container does not share with the host', () => {
  const spec = dockerSpec('/x', ['true']);
  const plan = (name: string, without = '') => {
    const namespaces = spec.linux.namespaces.filter(({ type }) => type !== without);
    const changed = { ...spec, linux: { ...spec.linux, namespaces, sysctl: { [name]: '1' } } };
    return planLaunch(request({ spec: changed }), options).container.find(({ kind }) => kind === 'sysctl');
  };
  expect(plan('net.ipv4.ip_forward')).toMatchObject({ name: 'net/ipv4/ip_forward', namespace: 0x4000_0000 });
  expect(plan('kernel.shmmax')).toMatchObject({ namespace: 0x0800_0000 });
  expect(() => plan('net.ipv4.ip_forward', 'network')).toThrow("would be the host's");
  expect(() => plan('fs.mqueue.msg_max', 'ipc')).toThrow("would be the host's");
  expect(() => plan('kernel.domainname', 'uts')).toThrow("would be the host's");
  for (const name of ['vm.overcommit_memory', 'kernel.panic', 'fs.file-max']) {
    expect(() => plan(name)).toThrow('one of the whole host');
  }
});

test('id mappings become the texts that the kernel takes', () => {
  const spec = dockerSpec('/x', ['true']);
  const plan = (uidMappings: RuntimeSpec['linux']['uidMappings']) => {
    const namespaces = [...spec.linux.namespaces, { type: 'user' as const }];
    const gidMappings = [{ containerID: 0, hostID: 200_000, size: 1 }];
    const linux = { ...spec.linux, namespaces, gidMappings, ...(uidMappings === undefined ? {} : { uidMappings }) };
    return planLaunch(request({ spec: { ...spec, linux } }), options).host.find(({ kind }) => kind === 'id-maps');
  };
  const two = [
    { containerID: 1, hostID: 300_000, size: 65_535 },
    { containerID: 0, hostID: 100_000, size: 1 },
  ];
  expect(plan(two)).toEqual({
    kind: 'id-maps',
    uidMap: '1 300000 65535\n0 100000 1\n',
    gidMap: '0 200000 1\n',
    rootUid: 100_000,
    rootGid: 200_000,
  });
  expect(() => plan([])).toThrow('uidMappings');
  expect(() => plan([{ containerID: 1, hostID: 1, size: 1 }])).toThrow('needs a root');
  expect(() => plan([{ containerID: 0, hostID: 0xffff_ffff, size: 1 }])).toThrow('is not one of uidMappings');
  expect(() => plan([{ containerID: 0, hostID: -1, size: 1 }])).toThrow('is not one of uidMappings');
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
    recursiveAttributes: 0,
    propagation: 1 << 18,
    parameters: [
      ['mode', '755'],
      ['huge', ''],
    ],
  });
  expect(parseMountOptions('none', ['rbind', 'rslave', 'ro', 'rro'])).toMatchObject({
    bind: true,
    recursive: true,
    attributes: 1,
    recursiveAttributes: 1,
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
