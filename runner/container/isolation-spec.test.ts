import { expect, test } from 'vitest';
import { plainConfig } from '../../test/support/plain-container.ts';
import { knownCapabilities } from '../security/capabilities.ts';
import { defaultDeviceRules, openDeviceRules } from '../security/device-rules.ts';
import { defaultDevices } from '../security/devices.ts';
import type { ContainerConfig } from './config.ts';
import type { IsolationContext } from './isolation-spec.ts';
import { runtimeSpec } from './spec.ts';

const plain: IsolationContext = { capabilities: knownCapabilities, joined: {}, devices: [] };
const range = { containerID: 0, hostID: 100_000, size: 65_536 };

function spec(change: Partial<ContainerConfig>, isolation: Partial<IsolationContext> = {}) {
  return runtimeSpec(plainConfig(change), {
    mounts: [],
    containerId: 'a'.repeat(64),
    files: { hostname: '/c/hostname', hosts: '/c/hosts', resolvConf: '/c/resolv.conf' },
    cgroupsPath: '/x',
    controllers: [],
    architecture: 'amd64',
    kernel: '6.1.0',
    networkNamespaces: [{ type: 'network' as const }],
    hostMaskedPaths: [],
    isolation: { ...plain, ...isolation },
  });
}
type Spec = ReturnType<typeof spec>;
const types = ({ linux }: Spec) => linux.namespaces.map(({ type }) => type).toSorted();
const options = ({ mounts }: Spec, path: string) => mounts.find(({ destination }) => destination === path)?.options;
const allows = ({ linux }: Spec, name: string) =>
  linux.seccomp?.syscalls.some(({ names, action, args }) => {
    return names.includes(name) && action === 'SCMP_ACT_ALLOW' && args === undefined;
  });

test('a privileged container has all that the runner has', () => {
  const fuse = { path: '/dev/fuse', type: 'c' as const, major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 };
  const own = { ...fuse, path: '/dev/null', minor: 3, major: 1, gid: 7 };
  const devices = [fuse, own].map((device) => ({ device, permissions: 'rwm' }));
  const made = spec({ privileged: true, maskedPaths: ['/x'] }, { devices, capabilities: ['CAP_CHOWN', 'CAP_BPF'] });
  expect(made.process.capabilities.bounding).toEqual(['CAP_CHOWN', 'CAP_BPF']);
  expect(made.process.capabilities.inheritable).toEqual([]);
  expect(made.linux).toMatchObject({ maskedPaths: [], readonlyPaths: [], resources: { devices: openDeviceRules } });
  expect(made.linux.seccomp).toBeUndefined();
  expect(made.linux.devices).toHaveLength(defaultDevices.length + 1);
  expect(made.linux.devices.find(({ path }) => path === '/dev/null')).toEqual(own);
  for (const path of ['/sys', '/sys/fs/cgroup']) expect(options(made, path)).not.toContain('ro');
  expect(types(made)).toContain('cgroup');
});

test('a privileged container can have a filter', () => {
  expect(allows(spec({ privileged: true, seccomp: 'builtin' }), 'mount')).toBe(true);
});

test('the filter goes with the capabilities', () => {
  expect(allows(spec({}), 'mount')).toBe(false);
  expect(allows(spec({ capAdd: ['CAP_SYS_ADMIN'] }), 'mount')).toBe(true);
  expect(allows(spec({}), 'chroot')).toBe(true);
  expect(allows(spec({ capDrop: ['CAP_SYS_CHROOT'] }), 'chroot')).toBe(false);
  expect(spec({ seccomp: 'unconfined' }).linux.seccomp).toBeUndefined();
  const syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO', includes: { caps: ['CAP_BPF'] } }];
  const seccomp = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls });
  expect(spec({ seccomp }).linux.seccomp?.syscalls).toEqual([]);
  expect(spec({ seccomp, capAdd: ['CAP_BPF'] }).linux.seccomp?.syscalls).toHaveLength(1);
});

test('namespaces are left out, joined, or added', () => {
  expect(types(spec({ ipcMode: 'host', pidMode: 'host', utsMode: 'host', cgroupnsMode: 'host' }))).toEqual([
    'mount',
    'network',
  ]);
  const joining = spec({ ipcMode: 'container:x', pidMode: 'container:y' }, { joined: { ipc: '/f/7', pid: '/f/8' } });
  expect(joining.linux.namespaces).toEqual(
    expect.arrayContaining([
      { type: 'ipc', path: '/f/7' },
      { type: 'pid', path: '/f/8' },
    ]),
  );
  const remapped = spec({}, { idMappings: { uid: range, gid: range } });
  expect(remapped.linux).toMatchObject({ uidMappings: [range], gidMappings: [range] });
  expect(remapped.linux.namespaces).toContainEqual({ type: 'user' });
  const shared = spec({}, { idMappings: { uid: range, gid: range }, joined: { user: '/f/9' } });
  expect(shared.linux.namespaces).toContainEqual({ type: 'user', path: '/f/9' });
  expect(Object.keys(remapped.linux.sysctl)).not.toContain('net.ipv4.ping_group_range');
});

test('/dev/shm goes with the IPC namespace', () => {
  const source = (ipcMode: string, context: Partial<IsolationContext> = {}) =>
    spec({ ipcMode }, context).mounts.find(({ destination }) => destination === '/dev/shm');
  expect(source('none')).toBeUndefined();
  expect(source('private')).toMatchObject({ type: 'tmpfs' });
  expect(source('host', { sharedMemory: '/dev/shm' })).toMatchObject({ type: 'bind', source: '/dev/shm' });
});

test('devices and rules are added to the default ones', () => {
  const device = { path: '/dev/x', type: 'b' as const, major: 8, minor: 1, fileMode: 0o660, uid: 0, gid: 6 };
  const made = spec({ deviceCgroupRules: ['c 10:* r'] }, { devices: [{ device, permissions: 'r' }] });
  expect(made.linux.devices).toEqual([...defaultDevices, device]);
  expect(made.linux.resources.devices).toEqual([
    ...defaultDeviceRules,
    { allow: true, type: 'b', major: 8, minor: 1, access: 'r' },
    { allow: true, type: 'c', major: 10, access: 'r' },
  ]);
});

test('masks can be replaced, and taken away', () => {
  expect(spec({ maskedPaths: ['/proc/x'], readonlyPaths: [] }).linux).toMatchObject({
    maskedPaths: ['/proc/x'],
    readonlyPaths: [],
  });
});

test('sysctls are added to the default ones, within the namespaces of the container', () => {
  const sysctls = { 'net.core.somaxconn': '7', 'kernel/msgmax': '9' };
  expect(spec({ sysctls }).linux.sysctl).toEqual({
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
    'net.core.somaxconn': '7',
    'kernel.msgmax': '9',
  });
  expect(() => spec({ sysctls, ipcMode: 'host' })).toThrow('"kernel/msgmax" is not allowed in the hosts ipc namespace');
});

test('an init is the first process, from a file of the host', () => {
  const made = spec({}, { initPath: '/usr/lib/berth-init' });
  expect(made.process.args).toEqual(['/sbin/docker-init', '--', '/bin/true']);
  expect(made.mounts).toContainEqual({
    destination: '/sbin/docker-init',
    type: 'bind',
    source: '/usr/lib/berth-init',
    options: ['bind', 'ro'],
  });
});

test('the rest is told as it is', () => {
  expect(spec({ oomScoreAdj: 5, noNewPrivileges: true, apparmorProfile: 'mine' }).process).toMatchObject({
    oomScoreAdj: 5,
    noNewPrivileges: true,
    apparmorProfile: 'mine',
  });
  expect(options(spec({ readonlyRootfs: true }), '/etc/hosts')).toContain('ro');
});
