import { expect, test } from 'vitest';
import { evaluatedSeccomp } from './custom-seccomp.ts';
import { parseSeccompSource } from './seccomp-source.ts';

const facts = { architecture: 'amd64', kernel: '6.1.0-13-amd64', capabilities: ['CAP_CHOWN'] } as const;
const rule = (name: string, rest: object = {}) => ({ names: [name], action: 'SCMP_ACT_ALLOW', ...rest });
const named = (syscalls: readonly object[], on: Parameters<typeof evaluatedSeccomp>[1] = facts) => {
  const text = JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls });
  return evaluatedSeccomp(parseSeccompSource(text), on)?.syscalls.flatMap(({ names }) => names);
};

test('a rule is there when all of its includes hold and none of its excludes', () => {
  const rules = [
    rule('plain'),
    rule('amd64', { includes: { arches: ['arm64', 'amd64'] } }),
    rule('not-amd64', { excludes: { arches: ['amd64', 'x86'] } }),
    rule('both-caps', { includes: { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } }),
    rule('one-cap', { includes: { caps: ['CAP_CHOWN'], minKernel: '6.1' } }),
    rule('newer', { includes: { minKernel: '6.2' } }),
    rule('not-old', { excludes: { minKernel: '4.8' } }),
    rule('without-cap', { excludes: { caps: ['CAP_SYS_ADMIN', 'CAP_CHOWN'] } }),
    rule('empty', { includes: {}, excludes: {} }),
    { name: 'old-form', action: 'SCMP_ACT_ALLOW' },
  ];
  expect(named(rules)).toEqual(['plain', 'amd64', 'one-cap', 'empty', 'old-form']);
});

test('the whole format', () => {
  const source = parseSeccompSource(`{
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "archMap": [
      {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
      {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [{"names": ["a", "b"], "action": "SCMP_ACT_TRACE", "errnoRet": 5, "comment": "why", "args": [
      {"index": 1, "value": 18446744073709551615, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]}]}`);
  expect(evaluatedSeccomp(source, facts)).toEqual({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    syscalls: [
      {
        names: ['a', 'b'],
        action: 'SCMP_ACT_TRACE',
        errnoRet: 5,
        args: [{ index: 1, value: 2n ** 64n - 1n, valueTwo: 2, op: 'SCMP_CMP_MASKED_EQ' }],
      },
    ],
  });
  expect(evaluatedSeccomp(parseSeccompSource('{}'), facts)).toBeUndefined();
});

test.each([
  ['no JSON', 'x'],
  ['no object', '[]'],
  ['an unknown action', '{"defaultAction": "SCMP_ACT_MAYBE"}'],
  ['an action that needs an agent', '{"defaultAction": "SCMP_ACT_NOTIFY"}'],
  ['a flag for an agent', '{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}'],
  ['rules without a default', '{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}'],
  ['an unknown comparison', profile({ args: [{ index: 0, value: 1, op: 'EQ' }] })],
  ['a seventh argument', profile({ args: [{ index: 6, value: 1, op: 'SCMP_CMP_EQ' }] })],
  ['a negative operand', profile({ args: [{ index: 0, value: -1, op: 'SCMP_CMP_EQ' }] })],
  [
    'an operand of 65 bits',
    profile({ args: [{ index: 0, value: 0, op: 'SCMP_CMP_EQ' }] }).replace('0', `${2n ** 64n}`),
  ],
  ['two forms of a name', profile({ name: 'write' })],
  ['a kernel that is none', profile({ includes: { minKernel: 'six' } })],
  [
    'architectures twice',
    '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}',
  ],
])('%s is refused', (_what, text) => {
  expect(() => parseSeccompSource(text)).toThrow(/^decoding seccomp profile failed: /);
});

function profile(change: object): string {
  return JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['read'], action: 'SCMP_ACT_ERRNO', ...change }],
  });
}
