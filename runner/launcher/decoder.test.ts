import { execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { DEVICE_INSTRUCTION_BYTES } from './device-program.ts';
import { encodePlan } from './encode.ts';
import type { LaunchRequest, LinkSpec } from './launcher.ts';
import { planLaunch } from './plan.ts';
import { planRuntimeLaunch } from './runtime-plan.ts';
import { dockerSpec } from '../../test/launcher/fixture.ts';

/** The launcher's decoder, built with address and undefined-behaviour checks: 0 is a plan, 1 is none, else a fault. */
const repository = resolve(import.meta.dirname, '../..');
const target = 'build/test/berth-launcher-sanitized';
beforeAll(() => {
  execFileSync('make', ['-s', '-f', 'runner/launcher/launcher.mk', target], { cwd: repository });
}, 120_000);

function check(bytes: Uint8Array): number | null {
  const result = spawnSync(target, ['check'], { cwd: repository, input: bytes });
  expect(result.stderr.toString()).toBe('');
  return result.status;
}

const link: LinkSpec = {
  bridge: 'b0',
  hostName: 'v0',
  containerName: 'eth0',
  address: '10.0.0.2',
  prefixLength: 24,
  gateway: '10.0.0.1',
  macAddress: '02:00:00:00:00:01',
};

const request = (spec: RuntimeSpec, change: Partial<LaunchRequest>): LaunchRequest => ({
  containerId: 'c',
  spec,
  root: { kind: 'overlay', lower: ['/a', '/b'], upper: '/u', work: '/w' },
  user: 'web:mail',
  additionalGroups: ['video'],
  links: [],
  stateDirectory: '/s',
  stdin: true,
  log: { maxBytes: 1, maxFiles: 1 },
  ...change,
});

function encode(spec: RuntimeSpec, change: Partial<LaunchRequest>): Buffer {
  const options = { cgroupRoot: '/c', controllers: ['memory'], seccompProgram: '/p' };
  return encodePlan(planLaunch(request(spec, change), options));
}

const spec = dockerSpec('/x/c', ['sh', '-c', 'true', 'ü']);
const ids = [{ containerID: 0, hostID: 1, size: 2 }];
/** One plan with what is ordinary, one with all that is not. */
const plan = encode(spec, { links: [link] });
const unusual = encode(
  {
    ...spec,
    process: { ...spec.process, apparmorProfile: 'docker-default' },
    mounts: [...spec.mounts, { destination: '/b', type: 'bind', source: '/a', options: ['rbind', 'idmap', 'rshared'] }],
    linux: {
      ...spec.linux,
      namespaces: [
        ...(['mount', 'uts', 'cgroup', 'user'] as const).map((type) => ({ type })),
        ...(['network', 'ipc', 'pid'] as const).map((type) => ({ type, path: `/proc/1/ns/${type}` })),
      ],
      uidMappings: ids,
      gidMappings: ids,
      sysctl: { 'kernel.domainname': 'd' },
      resources: { devices: [{ allow: false }, { allow: true, type: 'c', major: 1 }] },
      rootfsPropagation: 'rshared',
    },
  },
  { root: { kind: 'directory', path: '/r' } },
);

/** One for an OCI runtime. */
const foreign = encodePlan(
  planRuntimeLaunch(
    request(spec, { links: [link] }),
    { path: '/usr/bin/runc', deviceRules: 'runtime', capabilities: ['CAP_CHOWN'] },
    { cgroupRoot: '/c', controllers: ['memory'] },
  ),
);

test('what the encoder writes, the decoder takes', () => {
  expect(check(plan)).toBe(0);
  expect(check(unusual)).toBe(0);
  expect(check(foreign)).toBe(0);
});

test('CVE-2021-43784: a plan cut anywhere, or with anything appended, is refused', () => {
  for (const whole of [plan, unusual, foreign]) {
    const lengths = Array.from({ length: 40 }, (_, index) => Math.floor((whole.byteLength * index) / 40));
    for (const length of [...lengths, whole.byteLength - 1]) expect(check(whole.subarray(0, length))).toBe(1);
    expect(check(Buffer.concat([whole, Buffer.of(0)]))).toBe(1);
  }
});

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const short = encode({ ...spec, process: { ...spec.process, args: ['a'], env: [] } }, {});
/** Kind, length, umask, one argument, no environment: the last operation of a plan. */
const execBytes = 8 + 4 + (4 + 4 + 2) + 4;

/** A plan with these arguments, which the encoder would not write. */
function withArguments(args: readonly string[]): Buffer {
  const texts = args.flatMap((text) => [number(Buffer.byteLength(text)), Buffer.from(`${text}\0`)]);
  const payload = Buffer.concat([number(0o022), number(args.length), ...texts, number(0)]);
  const start = short.byteLength - execBytes;
  return Buffer.concat([short.subarray(0, start + 4), number(payload.byteLength), payload]);
}

test('CVE-2021-43784: a text that is too long is refused', () => {
  const most = 128 * 1024;
  expect(check(withArguments(['a'.repeat(most)]))).toBe(0);
  expect(check(withArguments(['a'.repeat(most + 1)]))).toBe(1);
});

test('CVE-2021-43784: a text with a zero byte in it is refused', () => {
  const damaged = Buffer.from(plan);
  damaged[damaged.indexOf('GREETING=hello') + 3] = 0;
  expect(check(damaged)).toBe(1);
});

test('CVE-2021-43784: more texts than there is room for are refused', () => {
  const most = 16_384;
  expect(check(withArguments(Array.from({ length: most }, () => 'a')))).toBe(0);
  expect(check(withArguments(Array.from({ length: most + 1 }, () => 'a')))).toBe(1);
});

test('CVE-2021-43784: more operations than a plan may have are refused', () => {
  const masking = (count: number) =>
    encode({ ...spec, linux: { ...spec.linux, maskedPaths: Array.from({ length: count }, () => '/a') } }, {});
  expect(check(masking(4000))).toBe(0);
  expect(check(masking(4097))).toBe(1);
});

test('CVE-2021-43784: a device program of no or too many instructions is refused', () => {
  const planned = planLaunch(request(spec, {}), { cgroupRoot: '/c', controllers: [], seccompProgram: undefined });
  const withProgram = (instructions: number): Buffer => {
    const program = Buffer.alloc(instructions * DEVICE_INSTRUCTION_BYTES);
    return encodePlan({ ...planned, host: [...planned.host, { kind: 'device-program', program }] });
  };
  expect([1, 4096].map((count) => check(withProgram(count)))).toEqual([0, 0]);
  for (const count of [0, 4097]) expect(check(withProgram(count))).toBe(1);
});

test('CVE-2021-43784: no bytes at all make the decoder read beyond its buffer', () => {
  const whole = fc.constantFrom(plan, unusual, foreign);
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(whole, flips, (one, changes) => {
      const damaged = Buffer.from(one);
      for (const [at, value] of changes) damaged[at % damaged.byteLength] = value;
      expect([0, 1]).toContain(check(damaged));
    }),
    { numRuns: 120 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
      expect(check(Buffer.concat([plan.subarray(0, 4), tail]))).toBe(1);
    }),
    { numRuns: 60 },
  );
});
