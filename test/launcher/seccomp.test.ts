import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SeccompAction, SeccompProfile } from '#shared/oci/runtime-spec.ts';
import { encodeSeccompTable } from '../../runner/launcher/seccomp-table.ts';
import { binary, Laboratory, repository } from './fixture.ts';

beforeAll(() => {
  execFileSync('make', ['-s', '-f', 'runner/launcher/launcher.mk', 'build/bin/berth-launcher'], { cwd: repository });
}, 120_000);

const arch = { x86_64: 0xc000_003e, i386: 0x4000_0003 } as const;
/** The same calls on both: their numbers are from <asm/unistd_64.h> and <asm/unistd_32.h>. */
const calls = { write: [1, 4], close: [3, 6], dup: [32, 41], kill: [62, 37], umask: [95, 60], personality: [135, 136] };
type Call = keyof typeof calls;
const names = Object.keys(calls) as Call[];

interface Asked {
  readonly arch: number;
  readonly number: number;
  readonly args: readonly bigint[];
}

function compile(profile: SeccompProfile): Buffer {
  const { status, stdout, stderr } = spawnSync(binary, ['seccomp'], { input: encodeSeccompTable(profile) });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout;
}

/** Runs a program as the kernel does (Documentation/networking/filter.rst), on a `struct seccomp_data`. */
function run(program: Buffer, { arch: machine, number, args }: Asked): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(machine, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(value, 16 + index * 8);
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const code = program.readUInt16LE(at * 8);
    const [yes, no] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
    const operand = program.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return operand;
    if (code === 0x20) accumulator = data.readUInt32LE(operand);
    else if (code === 0x54) accumulator = (accumulator & operand) >>> 0;
    else if (code === 0x05) at += operand;
    else if (code === 0x15) at += accumulator === operand ? yes : no;
    else if (code === 0x25) at += accumulator > operand ? yes : no;
    else if (code === 0x35) at += accumulator >= operand ? yes : no;
    else if (code === 0x45) at += (accumulator & operand) !== 0 ? yes : no;
    else throw new Error(`unknown instruction ${code}`);
  }
}

const returns: Record<SeccompAction, (value: number) => number> = {
  SCMP_ACT_ALLOW: () => 0x7fff_0000,
  SCMP_ACT_LOG: () => 0x7ffc_0000,
  SCMP_ACT_TRAP: () => 0x0003_0000,
  SCMP_ACT_KILL: () => 0,
  SCMP_ACT_KILL_THREAD: () => 0,
  SCMP_ACT_KILL_PROCESS: () => 0x8000_0000,
  SCMP_ACT_ERRNO: (value) => 0x0005_0000 + value,
  SCMP_ACT_TRACE: (value) => 0x7ff0_0000 + value,
};
const compares: Record<string, (argument: bigint, a: bigint, b: bigint) => boolean> = {
  SCMP_CMP_NE: (argument, a) => argument !== a,
  SCMP_CMP_LT: (argument, a) => argument < a,
  SCMP_CMP_LE: (argument, a) => argument <= a,
  SCMP_CMP_EQ: (argument, a) => argument === a,
  SCMP_CMP_GE: (argument, a) => argument >= a,
  SCMP_CMP_GT: (argument, a) => argument > a,
  SCMP_CMP_MASKED_EQ: (argument, a, b) => (argument & a) === b,
};

const action = fc.constantFrom(...(Object.keys(returns) as SeccompAction[]));
const number = fc.oneof(fc.nat(9), fc.constantFrom(0x1_0000_0000, 0xffff_ffff, 2 ** 40 + 3, 2 ** 64));
const condition = fc
  .record({ index: fc.nat(3), op: fc.constantFrom(...Object.keys(compares)), value: number, valueTwo: number })
  // What the mask takes away can never remain: such a condition holds for nothing, and libseccomp takes the mask to both.
  .map((one) => (one.op === 'SCMP_CMP_MASKED_EQ' ? { ...one, value: 0xffff, valueTwo: one.index } : one));
/** One rule for each call: with more, which of two different actions wins is libseccomp's business. */
const profile = fc.record({
  defaultAction: action,
  defaultErrnoRet: fc.integer({ min: 1, max: 200 }),
  architectures: fc.constantFrom([], ['SCMP_ARCH_X86_64'], ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_S390X']),
  syscalls: fc
    .array(
      fc.record({
        names: fc.constantFrom(...names).map((name) => [name, 'no_such_call']),
        action,
        errnoRet: fc.integer({ min: 1, max: 200 }),
        args: fc.uniqueArray(condition, { maxLength: 3, selector: ({ index }) => index }),
      }),
      { maxLength: 5 },
    )
    .map((rules) => rules.filter((rule, at) => rules.findIndex(({ names: [name] }) => name === rule.names[0]) === at)),
});

function expected(
  { defaultAction, defaultErrnoRet = 1, syscalls }: SeccompProfile,
  call: Call,
  args: readonly bigint[],
) {
  const limit = (value: number | bigint) => (value === 2 ** 64 ? 2n ** 64n - 1n : BigInt(value));
  const rule = syscalls.find(
    ({ names: [name], args: conditions = [] }) =>
      name === call &&
      conditions.every(({ index, op, value, valueTwo = 0 }) =>
        compares[op]?.(args[index] ?? 0n, limit(value), limit(valueTwo)),
      ),
  );
  return rule === undefined ? returns[defaultAction](defaultErrnoRet) : returns[rule.action](rule.errnoRet ?? 1);
}

describe.runIf(process.arch === 'x64')('compiled profiles', () => {
  test('decide as their rules say, for every action and comparison', () => {
    const argument = fc.oneof(
      number.map((value) => (value === 2 ** 64 ? 2n ** 64n - 1n : BigInt(value))),
      fc.bigInt(0n, 2n ** 64n - 1n),
    );
    const asked = fc.array(
      fc.record({ call: fc.constantFrom(...names), args: fc.tuple(argument, argument, argument, argument) }),
      { minLength: 20, maxLength: 20 },
    );
    fc.assert(
      fc.property(profile, asked, (one, tries) => {
        const program = compile(one);
        for (const { call, args } of tries) {
          const result = run(program, { arch: arch.x86_64, number: calls[call][0] ?? 0, args });
          expect(result).toBe(expected(one, call, args));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('a second architecture has its own numbers; one that is not listed is killed', () => {
    const both: SeccompProfile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: names.map((name, index) => ({ names: [name], action: 'SCMP_ACT_ERRNO', errnoRet: 10 + index })),
    };
    const program = compile(both);
    const native = compile({ ...both, architectures: [] });
    for (const [index, name] of names.entries()) {
      const [long = 0, short = 0] = calls[name];
      expect(run(program, { arch: arch.x86_64, number: long, args: [] })).toBe(0x0005_0000 + 10 + index);
      expect(run(program, { arch: arch.i386, number: short, args: [] })).toBe(0x0005_0000 + 10 + index);
      expect(run(native, { arch: arch.x86_64, number: long, args: [] })).toBe(0x0005_0000 + 10 + index);
      expect(run(native, { arch: arch.i386, number: short, args: [] })).toBe(0);
    }
  });

  test('conditions on one argument twice are alternatives', () => {
    const args = [8, 0x20008, 0xffff_ffff].map((value) => ({ index: 0, value, op: 'SCMP_CMP_EQ' }));
    const program = compile({
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: [],
      syscalls: [{ names: ['personality'], action: 'SCMP_ACT_ALLOW', args }],
    });
    const ask = (value: bigint) => run(program, { arch: arch.x86_64, number: 135, args: [value] });
    expect([8n, 0x20008n, 0xffff_ffffn].map(ask)).toEqual(Array.from({ length: 3 }, () => 0x7fff_0000));
    expect(ask(9n)).toBe(0x0005_0001);
  });
});

test('what no profile can say is refused', () => {
  const table = (change: Partial<SeccompProfile>) => () =>
    encodeSeccompTable({ defaultAction: 'SCMP_ACT_ALLOW', architectures: [], syscalls: [], ...change });
  const withValue = (value: number | bigint, op = 'SCMP_CMP_EQ') =>
    table({ syscalls: [{ names: ['kill'], action: 'SCMP_ACT_LOG', args: [{ index: 0, value, op }] }] });
  expect(table({ defaultAction: 'SCMP_ACT_NOTIFY' as SeccompAction })).toThrow('unknown action "SCMP_ACT_NOTIFY"');
  expect(withValue(0, 'SCMP_CMP_IS')).toThrow('unknown comparison "SCMP_CMP_IS"');
  for (const value of [-1, 0.5, 2 ** 65, Number.NaN, -1n, 2n ** 64n])
    expect(withValue(value)).toThrow('is no 64-bit number');
});

describe('in a container', () => {
  let laboratory: Laboratory;
  beforeAll(async () => {
    laboratory = await Laboratory.open();
  });
  afterAll(() => laboratory[Symbol.asyncDispose]());

  test.each([
    ['SCMP_ACT_ERRNO', 1, /Function not implemented/],
    ['SCMP_ACT_KILL_PROCESS', 159, /^$/],
    ['SCMP_ACT_KILL_THREAD', 159, /^$/],
    ['SCMP_ACT_TRAP', 159, /^$/],
    ['SCMP_ACT_TRACE', 1, /Function not implemented/],
    ['SCMP_ACT_LOG', 0, /^$/],
  ] as const)('%s', async (name, exitCode, said) => {
    const { stderr, ...result } = await laboratory.run('exec mkfifo /tmp/x', {
      spec: (spec) => ({
        ...spec,
        linux: {
          ...spec.linux,
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
            flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_TSYNC'],
            syscalls: [{ names: ['mknod', 'mknodat'], action: name, errnoRet: 38 }],
          },
        },
      }),
    });
    expect(result.exitCode).toBe(exitCode);
    expect(stderr).toMatch(said);
  });
});
