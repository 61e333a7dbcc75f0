import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainConfig } from '../../test/support/plain-container.ts';
import { knownCapabilities } from '../security/capabilities.ts';
import { defaultDeviceRules } from '../security/device-rules.ts';
import { discardedLimits } from './resource-spec.ts';
import { processEnvironment, runtimeSpec, type SpecContext } from './spec.ts';

const config = plainConfig({ environment: ['MODE=x'] });
const context: SpecContext = {
  containerId: 'a'.repeat(64),
  mounts: [],
  files: { hostname: '/c/hostname', hosts: '/c/hosts', resolvConf: '/c/resolv.conf' },
  networkNamespaces: [{ type: 'network' }],
  cgroupsPath: `/berth-x/${'a'.repeat(64)}`,
  controllers: ['memory', 'pids'],
  architecture: 'amd64',
  kernel: '6.1.0',
  hostMaskedPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
  isolation: { capabilities: knownCapabilities, joined: {}, devices: [] },
};

test("the defaults are Docker's", () => {
  const spec = runtimeSpec(config, context);
  expect(spec.process.capabilities.bounding).toHaveLength(14);
  expect(spec.process.capabilities.inheritable).toEqual([]);
  expect(spec.linux.namespaces.map(({ type }) => type).toSorted()).toEqual([
    'cgroup',
    'ipc',
    'mount',
    'network',
    'pid',
    'uts',
  ]);
  expect(spec.mounts.map(({ destination }) => destination)).toEqual([
    '/proc',
    '/dev',
    '/dev/pts',
    '/sys',
    '/sys/fs/cgroup',
    '/dev/mqueue',
    '/dev/shm',
    '/etc/resolv.conf',
    '/etc/hostname',
    '/etc/hosts',
  ]);
  expect(spec.mounts.find(({ destination }) => destination === '/sys')?.options).toContain('ro');
  expect(spec.mounts.find(({ destination }) => destination === '/sys/fs/cgroup')?.options).toContain('ro');
  expect(spec.mounts.find(({ destination }) => destination === '/dev/shm')?.options).toContain('size=67108864');
  expect(spec.linux.maskedPaths).toContain('/proc/kcore');
  expect(spec.linux.maskedPaths).toContain('/sys/devices/system/cpu/cpu0/thermal_throttle');
  expect(spec.linux.readonlyPaths).toContain('/proc/sys');
  expect(spec.process.cwd).toBe('/');
  expect(spec.linux.resources).toEqual({ devices: defaultDeviceRules });
});

test('limits are set where a controller enforces them, and named where none does', () => {
  const limited = { ...config, memoryBytes: 1000, pidsLimit: 7 };
  expect(runtimeSpec(limited, context).linux.resources).toEqual({
    devices: defaultDeviceRules,
    memory: { limit: 1000, swap: 2000 },
    pids: { limit: 7 },
  });
  expect(runtimeSpec(limited, { ...context, controllers: ['pids'] }).linux.resources).toEqual({
    devices: defaultDeviceRules,
    pids: { limit: 7 },
  });
  expect(discardedLimits(limited, ['pids'])).toEqual(['memory']);
});

test('rlimits are named as OCI names them, however they were written', () => {
  const rlimits = [
    { type: 'nofile', soft: 10, hard: 20 },
    { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
  ];
  expect(runtimeSpec({ ...config, rlimits }, context).process.rlimits.map(({ type }) => type)).toEqual([
    'RLIMIT_NOFILE',
    'RLIMIT_CORE',
  ]);
});

test('PATH, HOSTNAME and TERM are there unless overridden or taken away', () => {
  expect(processEnvironment({ hostname: 'h', terminal: false, environment: ['A=1'] })).toEqual([
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOSTNAME=h',
    'A=1',
  ]);
  expect(processEnvironment({ hostname: 'h', terminal: true, environment: ['PATH=/x', 'HOSTNAME', 'A=b=c'] })).toEqual([
    'PATH=/x',
    'TERM=xterm',
    'A=b=c',
  ]);
});

test('each variable is named once, the last value wins', () => {
  const entry = fc.tuple(fc.constantFrom('A', 'B', 'PATH'), fc.string()).map(([name, value]) => `${name}=${value}`);
  fc.assert(
    fc.property(fc.array(entry), (environment) => {
      const result = processEnvironment({ hostname: 'h', terminal: false, environment });
      const names = result.map((one) => one.split('=', 1)[0]);
      expect(new Set(names).size).toBe(names.length);
      for (const name of ['A', 'B']) {
        expect(result.find((one) => one.startsWith(`${name}=`))).toBe(
          environment.findLast((one) => one.startsWith(`${name}=`)),
        );
      }
    }),
  );
});
