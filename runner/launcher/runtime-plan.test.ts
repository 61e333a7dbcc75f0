import { expect, test } from 'vitest';
import { dockerSpec, link } from '../../test/launcher/fixture.ts';
import { encodePlan } from './encode.ts';
import type { LaunchRequest, OciRuntime } from './launcher.ts';
import { planRuntimeLaunch } from './runtime-plan.ts';

const request: LaunchRequest = {
  containerId: 'c',
  spec: dockerSpec('/x/c', ['sh', '-c', 'true', 'ü']),
  root: { kind: 'overlay', lower: ['/a', '/b'], upper: '/u', work: '/w' },
  user: 'web:mail',
  additionalGroups: ['video'],
  links: [link('x', 2)],
  stateDirectory: '/s',
  stdin: true,
  log: { maxBytes: 1, maxFiles: 1 },
};
const plan = (change: Partial<LaunchRequest>, deviceRules: OciRuntime['deviceRules'] = 'runtime') =>
  planRuntimeLaunch(
    { ...request, ...change },
    { path: '/usr/bin/crun', deviceRules, capabilities: [] },
    { cgroupRoot: '/c', controllers: [] },
  );

test('root, links, user and command are ours; all else is in the document', () => {
  const { host, container } = plan({});
  expect(host.map(({ kind }) => kind)).toEqual(['shim', 'cgroup', 'link', 'runtime']);
  expect(container.map(({ kind }) => kind)).toEqual(['overlay', 'loopback', 'address', 'user', 'cwd', 'exec']);
  expect(container[0]).toMatchObject({ mountPoint: '/s/bundle/rootfs', lower: ['/b', '/a'] });
  expect(host.at(-1)).toMatchObject({
    binary: '/usr/bin/crun',
    root: '/s/runtime',
    bundle: '/s/bundle',
    containerId: 'c',
  });
});

test('what a runtime cannot bind is bound for it in the bundle, and its root propagates as the mounts do', () => {
  const mounts = (...options: readonly string[]) => [
    { destination: '/d', type: 'bind', source: '/v', options: ['rbind', ...options] },
  ];
  const binds = (spec: LaunchRequest['spec']) => {
    const { host, container } = plan({ spec });
    const document = host.flatMap((one) => (one.kind === 'runtime' ? one.config : [])).join('');
    const { mounts: seen, linux } = JSON.parse(`${document}}`) as Pick<LaunchRequest['spec'], 'mounts' | 'linux'>;
    return { made: container.filter(({ kind }) => kind === 'bind'), seen, root: linux.rootfsPropagation };
  };
  const { spec } = request;
  expect(binds({ ...spec, mounts: mounts('rprivate', 'ro') })).toEqual({
    made: [],
    seen: mounts('rprivate', 'ro'),
    root: 'rprivate',
  });
  expect(binds({ ...spec, mounts: mounts('rslave') }).root).toBe('rslave');
  const shared = binds({ ...spec, mounts: [...mounts('rslave'), ...mounts('rshared', 'ro', 'rro')] });
  expect(shared.made).toEqual([
    expect.objectContaining({ source: '/v', subpath: '', destination: '/bind-0', recursive: true }),
  ]);
  expect(shared.seen[1]).toEqual({ ...mounts('rshared', 'ro')[0], source: '/s/bundle/bind-0' });
  expect(shared.root).toBe('shared');
  const part = binds({ ...spec, mounts: mounts('rprivate').map((one) => ({ ...one, subpath: 'a/b' })) });
  expect(part.made).toEqual([expect.objectContaining({ source: '/v', subpath: 'a/b', destination: '/bind-0' })]);
  expect(part.seen[0]).toEqual({ ...mounts('rprivate')[0], source: '/s/bundle/bind-0' });
});

test('device rules are enforced by one of the two', () => {
  const { spec } = request;
  const resources = { devices: [{ allow: false }] };
  const ours = plan({ spec: { ...spec, linux: { ...spec.linux, resources } } }, 'launcher').host;
  expect(ours.map(({ kind }) => kind)).toContain('device-program');
  const document = ours.flatMap((one) => (one.kind === 'runtime' ? one.config : [])).join('');
  expect(JSON.parse(`${document}}`)).toMatchObject({ linux: { resources: {} } });
  expect(document).not.toContain('"access"');
});

test('without a network namespace of its own nothing is set up in it', () => {
  const namespaces = request.spec.linux.namespaces.filter(({ type }) => type !== 'network');
  const spec = { ...request.spec, linux: { ...request.spec.linux, namespaces } };
  const kinds = plan({ spec, links: [] }).container.map(({ kind }) => kind);
  expect(kinds).toEqual(['overlay', 'user', 'cwd', 'exec']);
});

test('a document of any length fits, in pieces', () => {
  const names = Array.from({ length: 20_000 }, (_, at) => `syscall_number_${at}`);
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: [],
    syscalls: [{ names, action: 'SCMP_ACT_ERRNO' }],
  } as const;
  const long = plan({ spec: { ...request.spec, linux: { ...request.spec.linux, seccomp } } });
  const config = long.host.flatMap((one) => (one.kind === 'runtime' ? one.config : []));
  expect(config.length).toBeGreaterThan(4);
  expect(JSON.parse(`${config.join('')}}`)).toMatchObject({ linux: { seccomp: { syscalls: [{ names }] } } });
  expect(encodePlan(long).byteLength).toBeGreaterThan(300_000);
});
