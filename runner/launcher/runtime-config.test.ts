import { expect, test } from 'vitest';
import { z } from 'zod';
import type { RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { seccompProfile } from '../security/seccomp.ts';
import { defaultMounts } from '../security/mounts.ts';
import { runtimeDocuments } from './runtime-config.ts';

const capabilities = ['CAP_CHOWN', 'CAP_KILL'];
const plain: RuntimeSpec = {
  ociVersion: '1.2.0',
  process: {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    args: ['true'],
    env: [],
    cwd: '/',
    capabilities: {
      bounding: capabilities,
      effective: capabilities,
      permitted: capabilities,
      inheritable: [],
      ambient: [],
    },
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: -1 }],
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'dëck',
  domainname: 'example.org',
  mounts: defaultMounts(1024),
  annotations: {},
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'network' }, { type: 'pid', path: '/proc/1/fd/9' }],
    devices: [{ path: '/dev/x', source: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }],
    cgroupsPath: '/berth-1/2',
    resources: { devices: [{ allow: false }, { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }] },
    seccomp: seccompProfile({ architecture: 'amd64', kernel: '6.1.0', capabilities }),
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0' },
    rootfsPropagation: 'rprivate',
  },
};

const path = z.string().regex(/^\//);
const id = z.int().min(0).max(0xffff_ffff);
const signed = z.int();
/** What config.md, config-linux.md and their schema say of the members that we write; no others. */
const ociProcess = z.strictObject({
  rlimits: z.array(z.strictObject({ type: z.string().regex(/^RLIMIT_/), soft: z.number(), hard: z.number() })),
  apparmorProfile: z.string().optional(),
  noNewPrivileges: z.boolean(),
  capabilities: z.strictObject({
    bounding: z.array(z.string().regex(/^CAP_/)),
    effective: z.array(z.string()),
    permitted: z.array(z.string()),
    inheritable: z.array(z.string()).max(0),
    ambient: z.array(z.string()).max(0),
  }),
});
const ociConfig = z.strictObject({
  ociVersion: z.string().regex(/^1\.0\.\d$/),
  root: z.strictObject({ path: z.string(), readonly: z.boolean() }),
  hostname: z.string().optional(),
  mounts: z.array(
    z.strictObject({ destination: path, type: z.string(), source: z.string(), options: z.array(z.string()) }),
  ),
  annotations: z.record(z.string(), z.string()),
  linux: z.strictObject({
    namespaces: z.array(
      z.strictObject({
        type: z.enum(['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time']),
        path: path.optional(),
      }),
    ),
    devices: z.array(
      z.strictObject({
        type: z.enum(['c', 'b', 'u', 'p']),
        path,
        major: signed,
        minor: signed,
        fileMode: z.int().min(0).max(512),
        uid: id,
        gid: id,
      }),
    ),
    cgroupsPath: path,
    resources: z.strictObject({
      devices: z
        .array(
          z.strictObject({
            allow: z.boolean(),
            type: z.enum(['a', 'c', 'b']).optional(),
            major: signed.optional(),
            minor: signed.optional(),
            access: z.string().regex(/^[rwm]{1,3}$/),
          }),
        )
        .optional(),
    }),
    seccomp: z
      .looseObject({
        defaultAction: z.string().regex(/^SCMP_ACT_/),
        architectures: z.array(z.string().regex(/^SCMP_ARCH_/)),
      })
      .optional(),
    maskedPaths: z.array(path),
    readonlyPaths: z.array(path),
    sysctl: z.record(z.string(), z.string()),
    rootfsPropagation: z.enum(['shared', 'slave', 'private', 'unbindable', 'rshared', 'rslave', 'rprivate']),
  }),
});

const how = {
  networkPath: '/state/bundle/net',
  deviceRules: 'runtime',
  capabilities: ['CAP_CHOWN', 'CAP_SYS_ADMIN'],
} as const;
const documents = (change: Partial<RuntimeSpec['linux']> = {}, options: Parameters<typeof runtimeDocuments>[1] = how) =>
  runtimeDocuments({ ...plain, linux: { ...plain.linux, ...change } }, options);
const configOf = ({ config }: ReturnType<typeof documents>) => ociConfig.parse(JSON.parse(`${config}}`));
const withMount = (change: object) => () =>
  runtimeDocuments(
    {
      ...plain,
      mounts: [{ destination: '/a', type: 'bind', source: '/b', options: ['rbind', 'rprivate'], ...change }],
    },
    how,
  );

test('config.json has what the runtime specification names, and nothing else', () => {
  const config = configOf(documents());
  expect(config).toMatchObject({ root: { path: 'rootfs', readonly: true }, hostname: 'dëck' });
  expect(config.linux.namespaces).toEqual([
    { type: 'mount' },
    { type: 'uts' },
    { type: 'network', path: '/state/bundle/net' },
    { type: 'pid', path: '/proc/1/fd/9' },
  ]);
  expect(config.linux.sysctl).toMatchObject({ 'kernel.domainname': 'example.org' });
  expect(config.linux.resources.devices?.[0]).toEqual({ allow: false, access: 'rwm' });
  expect(config.linux.seccomp?.architectures).toContain('SCMP_ARCH_X86_64');
});

test('texts are ASCII, so that they can be cut into pieces', () => {
  expect(documents().config).toMatch(/^[\x20-\x7e]+$/);
});

test('a joined network keeps its path, a host without UTS namespace its name', () => {
  const config = configOf(documents({ namespaces: [{ type: 'mount' }, { type: 'network', path: '/proc/1/fd/3' }] }));
  expect(config.linux.namespaces.at(-1)).toEqual({ type: 'network', path: '/proc/1/fd/3' });
  expect(config.hostname).toBeUndefined();
});

test('device rules that the launcher enforces are not told', () => {
  expect(configOf(documents({}, { ...how, deviceRules: 'launcher' })).linux.resources).toEqual({});
});

test('a process has the limits and rights of the container, a privileged exec all rights', () => {
  const { process, privileged } = documents();
  const own = ociProcess.parse(JSON.parse(`{${process}}`));
  expect(own).toMatchObject({
    noNewPrivileges: true,
    capabilities: { bounding: capabilities, effective: capabilities },
  });
  expect(process).toContain('"hard":18446744073709551615');
  const all = ociProcess.parse(JSON.parse(`{${privileged}}`));
  expect(all.noNewPrivileges).toBe(false);
  expect(all.capabilities.effective).toEqual(['CAP_CHOWN', 'CAP_SYS_ADMIN']);
});

test('numbers of 64 bits in a seccomp profile stay exact', () => {
  const args = [{ index: 0, value: 0xffff_ffff_ffff_fff0n, op: 'SCMP_CMP_EQ' }];
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: [{ names: ['dup'], action: 'SCMP_ACT_ERRNO', args }],
  } as const;
  expect(documents({ seccomp }).config).toContain('"value":18446744073709551600');
});

test.each([
  ['a user namespace', () => documents({ namespaces: [{ type: 'mount' }, { type: 'user' }] })],
  ['mapped owners', withMount({ options: ['rbind', 'idmap'] })],
])('%s is refused', (_, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'launch.unsupported' }));
});
