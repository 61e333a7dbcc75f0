import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { SeccompProfile } from '#shared/oci/runtime-spec.ts';
import { defaultCapabilities } from './capabilities.ts';
import { seccompProfile } from './seccomp.ts';

const conditionalCapabilities = [
  'CAP_BPF',
  'CAP_DAC_READ_SEARCH',
  'CAP_PERFMON',
  'CAP_SYSLOG',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_CHROOT',
  'CAP_SYS_MODULE',
  'CAP_SYS_NICE',
  'CAP_SYS_PACCT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
];

/**
 * [architecture, kernel, capabilities, rules, first 16 hex digits of the SHA-256 of the sorted rules], computed from
 * Docker's published default profile by a separate program that evaluated its includes and excludes: one line a rule,
 * "name action errno index op value valueTwo,…".
 */
const published = [
  ['amd64', '4.7', 'default', 374, '805a39e5a0d4bbfd'],
  ['amd64', '6.1', 'default', 377, '99750b91d06fac04'],
  ['arm64', '4.7', 'default', 378, '4da757e535fe5c0e'],
  ['arm64', '6.1', 'default', 381, '2ffb791aea4fbdfb'],
  ['amd64', '4.7', 'CAP_BPF', 374, '72fd074a7127f55a'],
  ['amd64', '4.7', 'CAP_DAC_READ_SEARCH', 374, '0fb71ba04f7af18c'],
  ['amd64', '4.7', 'CAP_PERFMON', 374, '04c1dfbda2bd59ae'],
  ['amd64', '4.7', 'CAP_SYSLOG', 374, '8088329cef3ef70d'],
  ['amd64', '4.7', 'CAP_SYS_ADMIN', 397, 'e92a958fbea6b781'],
  ['amd64', '4.7', 'CAP_SYS_BOOT', 374, '84b7e0089d450b14'],
  ['amd64', '4.7', 'CAP_SYS_CHROOT', 374, '805a39e5a0d4bbfd'],
  ['amd64', '4.7', 'CAP_SYS_MODULE', 376, '5490cc1e22e160ef'],
  ['amd64', '4.7', 'CAP_SYS_NICE', 377, 'c890f43dda78acdc'],
  ['amd64', '4.7', 'CAP_SYS_PACCT', 374, 'cc272716ddae264d'],
  ['amd64', '4.7', 'CAP_SYS_PTRACE', 379, '268195580b5b3e3e'],
  ['amd64', '4.7', 'CAP_SYS_RAWIO', 375, 'dddee5d416db2f32'],
  ['amd64', '4.7', 'CAP_SYS_TIME', 377, '2012551551140df1'],
  ['amd64', '4.7', 'CAP_SYS_TTY_CONFIG', 374, '32090f7030df46ae'],
  ['amd64', '6.1', 'all', 421, '87d7a783a9c8a912'],
] as const;

function effect(profile: SeccompProfile): string[] {
  const rules = profile.syscalls.flatMap(({ names, action, errnoRet, args }) =>
    names.map((name) => {
      const conditions = (args ?? []).map((one) => `${one.index} ${one.op} ${one.value} ${one.valueTwo ?? 0}`);
      return `${name} ${action} ${errnoRet ?? ''} ${conditions.join(',')}`;
    }),
  );
  return [...new Set(rules)].toSorted();
}

function capabilitySet(name: string): readonly string[] {
  if (name === 'default') return defaultCapabilities;
  return name === 'all' ? conditionalCapabilities : [name];
}

test.each(published)(
  '%s, kernel %s, capabilities %s: the published rules',
  (architecture, kernel, name, count, sum) => {
    const rules = effect(seccompProfile({ architecture, kernel, capabilities: capabilitySet(name) }));
    expect(rules).toHaveLength(count);
    expect(createHash('sha256').update(rules.join('\n')).digest('hex').slice(0, 16)).toBe(sum);
  },
);

test('AF_ALG and AF_VSOCK are the only socket families that no rule allows', () => {
  const rules = seccompProfile({ architecture: 'amd64', kernel: '6.1', capabilities: defaultCapabilities }).syscalls;
  const allowed = (family: number) =>
    rules.some(
      ({ names, args }) =>
        names.includes('socket') &&
        (args ?? []).every(({ op, value }) => {
          if (op === 'SCMP_CMP_LT') return family < value;
          return op === 'SCMP_CMP_GT' ? family > value : family === value;
        }),
    );
  const refused = Array.from({ length: 64 }, (_, family) => family).filter((family) => !allowed(family));
  expect(refused).toEqual([38, 40]);
});
