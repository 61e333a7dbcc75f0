import type { SeccompAction, SeccompFlag, SeccompProfile } from '#shared/oci/runtime-spec.ts';
import { BerthError } from '#shared/errors.ts';
import { WireWriter } from './wire.ts';

/** SCMP_ACT_* of <seccomp.h>; ERRNO and TRACE take a value in their low 16 bits. */
const actions: Record<SeccompAction, number> = {
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

/** `enum scmp_compare`. */
const comparisons = new Map([
  ['SCMP_CMP_NE', 1],
  ['SCMP_CMP_LT', 2],
  ['SCMP_CMP_LE', 3],
  ['SCMP_CMP_EQ', 4],
  ['SCMP_CMP_GE', 5],
  ['SCMP_CMP_GT', 6],
  ['SCMP_CMP_MASKED_EQ', 7],
]);

const EPERM = 1;

type Rule = SeccompProfile['syscalls'][number];
type Argument = NonNullable<Rule['args']>[number];

/** SECCOMP_FILTER_FLAG_* of <linux/seccomp.h>. */
const flagBits: Record<SeccompFlag, number> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0, // there is one thread
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

/** How the program is to be installed. */
export function seccompFlags({ flags = [] }: SeccompProfile): number {
  let bits = 0;
  for (const flag of flags) {
    if (!(flag in flagBits)) throw invalid(`unknown flag "${flag}"`);
    bits |= flagBits[flag];
  }
  return bits;
}

function invalid(what: string): BerthError {
  return new BerthError('invalid', 'seccomp.invalid', `compile seccomp profile: ${what}`);
}

/** JSON keeps numbers beyond 2^53 as the nearest that it can; 2^64-1, which means all bits, becomes 2^64. */
function operand(value: number | bigint): bigint {
  if (typeof value === 'bigint' ? value < 0n || value >= 2n ** 64n : !isOperand(value)) {
    throw invalid(`${value} is no 64-bit number`);
  }
  return value === 2 ** 64 ? 2n ** 64n - 1n : BigInt(value);
}

function isOperand(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 2 ** 64;
}

function actionNumber(action: SeccompAction, value: number | undefined): number {
  if (!(action in actions)) throw invalid(`unknown action "${action}"`);
  const takesValue = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return actions[action] + (takesValue ? (value ?? EPERM) & 0xffff : 0);
}

function comparison(operator: string): number {
  const number = comparisons.get(operator);
  if (number !== undefined) return number;
  throw invalid(`unknown comparison "${operator}"`);
}

/**
 * libseccomp compares an argument once in a rule. The OCI spec's rules that name one twice mean "any of these", and
 * become one rule each (runtime-spec, config-linux.md, seccomp).
 */
function alternatives(rule: Rule): readonly (readonly Argument[])[] {
  const args = rule.args ?? [];
  const repeated = new Set(args.map(({ index }) => index)).size < args.length;
  return repeated ? args.map((argument) => [argument]) : [args];
}

/** The rule table that `berth-launcher seccomp` compiles (see seccomp_program.c). */
export function encodeSeccompTable(profile: SeccompProfile): Buffer {
  const rules = profile.syscalls.flatMap((rule) => alternatives(rule).map((args) => ({ rule, args })));
  const to = new WireWriter()
    .u32(actionNumber(profile.defaultAction, profile.defaultErrnoRet))
    .strings(profile.architectures.map((name) => name.replace(/^SCMP_ARCH_/, '').toLowerCase()))
    .u32(rules.length);
  for (const { rule, args } of rules) {
    to.u32(actionNumber(rule.action, rule.errnoRet)).strings(rule.names).u32(args.length);
    for (const { index, op, value, valueTwo } of args) {
      to.u32(index)
        .u32(comparison(op))
        .u64(operand(value))
        .u64(operand(valueTwo ?? 0));
    }
  }
  return to.finish();
}
