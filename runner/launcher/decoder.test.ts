import { execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { encodePlan } from './encode.ts';
import { planLaunch } from './plan.ts';
import { dockerSpec } from '../../test/launcher/fixture.ts';

/** The launcher's decoder, built with address and undefined-behaviour checks: 0 is a plan, 1 is none, else a fault. */
const repository = resolve(import.meta.dirname, '../..');
const target = 'build/test/berth-launcher-sanitized';
beforeAll(() => {
  execFileSync('make', ['-s', '-f', 'runner/launcher/launcher.mk', target], { cwd: repository });
}, 120_000);

function check(bytes: Uint8Array): number | null {
  const result = spawnSync(target, ['check'], { cwd: repository, input: bytes });
  if (result.stderr.byteLength > 0) throw new Error(result.stderr.toString());
  return result.status;
}

const plan = encodePlan(
  planLaunch(
    {
      containerId: 'c',
      spec: dockerSpec('/x/c', ['sh', '-c', 'true', 'ü']),
      root: { kind: 'overlay', lower: ['/a', '/b'], upper: '/u', work: '/w' },
      user: 'web:mail',
      additionalGroups: ['video'],
      links: [
        {
          bridge: 'b0',
          hostName: 'v0',
          containerName: 'eth0',
          address: '10.0.0.2',
          prefixLength: 24,
          gateway: '10.0.0.1',
          macAddress: '02:00:00:00:00:01',
        },
      ],
      stateDirectory: '/s',
      stdin: true,
      log: { maxBytes: 1, maxFiles: 1 },
    },
    { cgroupRoot: '/c', controllers: ['memory'], seccompProgram: '/p' },
  ),
);

test('what the encoder writes, the decoder takes', () => {
  expect(check(plan)).toBe(0);
});

test('CVE-2021-43784: a plan cut anywhere, or with anything appended, is refused', () => {
  fc.assert(
    fc.property(fc.nat(plan.byteLength - 1), (length) => {
      expect(check(plan.subarray(0, length))).toBe(1);
    }),
    { numRuns: 60 },
  );
  expect(check(Buffer.concat([plan, Buffer.of(0)]))).toBe(1);
});

test('CVE-2021-43784: no bytes at all make the decoder read beyond its buffer', () => {
  const flips = fc.array(fc.tuple(fc.nat(plan.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(flips, (changes) => {
      const damaged = Buffer.from(plan);
      for (const [at, value] of changes) damaged[at] = value;
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
