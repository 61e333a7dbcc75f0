import { expect, test } from 'vitest';
import { plainConfig } from '../../../../test/support/plain-container.ts';
import { knownCapabilities } from '../../../security/capabilities.ts';
import { configBody, hostConfigBody } from '../create-request.ts';
import { builtInRuntimes } from '../../../container/runtimes.ts';
import { isolationDocument, isolationOf, isolationWarnings, type IsolationHost } from './isolation.ts';

const on: IsolationHost = {
  capabilities: knownCapabilities,
  apparmorProfiles: undefined,
  remapsAll: false,
  runtimes: builtInRuntimes,
  containerId: (reference) => (reference === 'web' ? 'f'.repeat(64) : undefined),
};
const translated = (host: object, change: Partial<IsolationHost> = {}, config: object = {}) =>
  isolationOf(configBody.parse(config), hostConfigBody.parse(host), { ...on, ...change });
const inspected = (host: Record<string, unknown>) =>
  isolationDocument(plainConfig({ ...translated(host), docker: { config: {}, hostConfig: host } }));

test('what the client says is what the container gets', () => {
  const { maskedPaths: _, ...config } = translated({
    Privileged: true,
    CapAdd: ['net_admin'],
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
    ReadonlyPaths: [],
    IpcMode: 'shareable',
    PidMode: 'container:web',
    UTSMode: 'host',
    CgroupnsMode: 'host',
    Devices: [
      { PathOnHost: '/dev/fuse', PathInContainer: '/dev/x', CgroupPermissions: 'rw' },
      { PathOnHost: '/dev/y' },
    ],
    DeviceCgroupRules: ['c 1:3 r'],
    DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu']] }],
    Sysctls: { 'net.core.somaxconn': '7' },
    OomScoreAdj: -7,
    Init: true,
    Runtime: 'runc',
  });
  expect(config).toEqual({
    readonlyRootfs: false,
    noNewPrivileges: true,
    privileged: true,
    capAdd: ['CAP_NET_ADMIN'],
    capDrop: ['ALL'],
    seccomp: 'unconfined',
    apparmorProfile: '',
    readonlyPaths: [],
    ipcMode: 'shareable',
    pidMode: `container:${'f'.repeat(64)}`,
    utsMode: 'host',
    cgroupnsMode: 'host',
    usernsMode: '',
    devices: [
      { pathOnHost: '/dev/fuse', pathInContainer: '/dev/x', permissions: 'rw' },
      { pathOnHost: '/dev/y', pathInContainer: '/dev/y', permissions: 'rwm' },
    ],
    deviceCgroupRules: ['c 1:3 r'],
    deviceRequests: [{ driver: '', capabilities: [['gpu']] }],
    sysctls: { 'net.core.somaxconn': '7' },
    oomScoreAdj: -7,
    init: true,
    runtime: 'runc',
  });
});

test.each([
  [{ IpcMode: 'mine' }, 'invalid IPC mode: mine'],
  [{ IpcMode: 'container:' }, 'invalid IPC mode: container:'],
  [{ PidMode: 'private' }, 'invalid PID mode: private'],
  [{ PidMode: 'container:nobody' }, 'No such container: nobody'],
  [{ UTSMode: 'private' }, 'invalid UTS mode: private'],
  [{ CgroupnsMode: 'none' }, 'invalid cgroup namespace mode: none'],
  [{ UsernsMode: 'keep-id' }, 'invalid user namespace mode: keep-id'],
  [{ OomScoreAdj: 1001 }, 'Invalid value 1001, range for oom score adj is [-1000, 1000]'],
  [{ Runtime: 'kata' }, 'unknown or invalid runtime name: kata'],
  [{ CapAdd: ['NOPE'] }, 'invalid CapAdd: unknown capability: "CAP_NOPE"'],
  [{ SecurityOpt: ['seccomp={}}'] }, 'decoding seccomp profile failed: '],
  [{ DeviceCgroupRules: ['x'] }, "invalid device cgroup rule format: 'x'"],
  [{ Devices: [{ PathOnHost: '/dev/null', CgroupPermissions: 'rr' }] }, 'invalid device mode: rr'],
  [{ Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/../x' }] }, 'invalid device: '],
  [{ MaskedPaths: ['proc/kcore'] }, 'invalid MaskedPaths: "proc/kcore" is not absolute'],
  [{ Privileged: true, UsernsMode: 'private' }, 'privileged mode is incompatible with user namespaces.'],
  [{ PidMode: 'host', UsernsMode: 'private' }, 'cannot share the host PID namespace'],
])('%j is refused in the words of dockerd', (host, text) => {
  expect(() => translated(host)).toThrow(text);
});

test('where every container is remapped, a privileged one says that it is not', () => {
  expect(() => translated({ Privileged: true }, { remapsAll: true })).toThrow('incompatible with user namespaces');
  expect(translated({ Privileged: true, UsernsMode: 'host' }, { remapsAll: true }).usernsMode).toBe('host');
});

test('a host name of its own in the name space of the host is refused', () => {
  const text = 'conflicting options: hostname and the UTS mode';
  expect(() => translated({ UTSMode: 'host' }, {}, { Hostname: 'x' })).toThrow(text);
});

test('AppArmor where the kernel has it', () => {
  const having = { apparmorProfiles: ['docker-default', 'mine'] };
  expect(translated({}, having).apparmorProfile).toBe('docker-default');
  expect(translated({}, { apparmorProfiles: [] }).apparmorProfile).toBe('');
  expect(translated({ Privileged: true }, having).apparmorProfile).toBe('unconfined');
  expect(translated({ SecurityOpt: ['apparmor=mine'] }, having).apparmorProfile).toBe('mine');
  expect(translated({ SecurityOpt: ['apparmor=mine'] }).apparmorProfile).toBe('');
});

test('labels have no effect, and that is told', () => {
  expect(isolationWarnings({ SecurityOpt: ['label=disable', 'no-new-privileges'] })).toHaveLength(1);
  expect(isolationWarnings({})).toEqual([]);
});

test('inspect tells the defaults, and what sharing adds', () => {
  const plain = inspected({});
  expect(plain).toMatchObject({ IpcMode: 'private', CgroupnsMode: 'private', SecurityOpt: null, Runtime: 'berth' });
  expect(plain['MaskedPaths']).toContain('/proc/kcore');
  expect(plain['ReadonlyPaths']).toContain('/proc/sys');
  const open = inspected({ Privileged: true, SecurityOpt: ['no-new-privileges'] });
  expect(open).toMatchObject({ SecurityOpt: ['no-new-privileges', 'label=disable'], MaskedPaths: null });
  expect(inspected({ PidMode: 'host', SecurityOpt: ['label=disable'] })['SecurityOpt']).toEqual(['label=disable']);
  expect(inspected({ MaskedPaths: [] })['MaskedPaths']).toEqual([]);
});
