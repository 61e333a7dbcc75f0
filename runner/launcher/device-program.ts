import type { DeviceRule } from '#shared/oci/runtime-spec.ts';
import { invalid } from './plan-error.ts';

/** Size of `struct bpf_insn`. */
export const DEVICE_INSTRUCTION_BYTES = 8;

const deviceTypes = { b: 1, c: 2 } as const;
const accessBits: ReadonlyMap<string, number> = new Map([
  ['m', 1],
  ['r', 2],
  ['w', 4],
]);
const allAccess = 7;

/** Registers: what the kernel passes, then what the prologue reads from it. */
const register = { result: 0, context: 1, type: 2, access: 3, major: 4, minor: 5, scratch: 1 } as const;

/** Opcodes (kernel Documentation/bpf/standardization/instruction-set.rst). */
const opcode = {
  loadWord: 0x61,
  and: 0x54,
  shiftRight: 0x74,
  copy: 0xbc,
  jumpIf: 0x15,
  jumpIfNot: 0x55,
  jumpIfOther: 0x5d,
  set: 0xb7,
  exit: 0x95,
} as const;

function instruction(code: number, to: number, { from = 0, offset = 0, value = 0 } = {}): Buffer {
  const bytes = Buffer.alloc(DEVICE_INSTRUCTION_BYTES);
  bytes.writeUInt8(code, 0);
  bytes.writeUInt8(to | (from << 4), 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(value, 4);
  return bytes;
}

/** `struct bpf_cgroup_dev_ctx`: u32 access << 16 | type, u32 major, u32 minor. */
const prologue: readonly Buffer[] = [
  instruction(opcode.loadWord, register.type, { from: register.context, offset: 0 }),
  instruction(opcode.and, register.type, { value: 0xffff }),
  instruction(opcode.loadWord, register.access, { from: register.context, offset: 0 }),
  instruction(opcode.shiftRight, register.access, { value: 16 }),
  instruction(opcode.loadWord, register.major, { from: register.context, offset: 4 }),
  instruction(opcode.loadWord, register.minor, { from: register.context, offset: 8 }),
];

function answer(allow: boolean): readonly Buffer[] {
  return [instruction(opcode.set, register.result, { value: allow ? 1 : 0 }), instruction(opcode.exit, 0)];
}

function accessMask(access: string): number {
  let mask = 0;
  for (const letter of access) {
    const bit = accessBits.get(letter);
    if (bit === undefined) throw invalid(`unknown device access "${access}"`);
    mask |= bit;
  }
  return mask;
}

/**
 * Decides, and ends, when the rule matches; goes on behind itself otherwise. A rule that allows matches when it grants all
 * that is asked for, one that denies when it denies any of it.
 */
function decide(rule: DeviceRule): readonly Buffer[] {
  const mask = accessMask(rule.access ?? 'rwm');
  const tests: ((offset: number) => Buffer)[] = [];
  const unless = (to: number, value: number): void => {
    tests.push((offset) => instruction(opcode.jumpIfNot, to, { offset, value }));
  };
  if (rule.type !== undefined) unless(register.type, deviceTypes[rule.type]);
  if (mask !== allAccess) {
    tests.push(
      () => instruction(opcode.copy, register.scratch, { from: register.access }),
      () => instruction(opcode.and, register.scratch, { value: mask }),
      rule.allow
        ? (offset) => instruction(opcode.jumpIfOther, register.scratch, { from: register.access, offset })
        : (offset) => instruction(opcode.jumpIf, register.scratch, { offset, value: 0 }),
    );
  }
  if (rule.major !== undefined) unless(register.major, rule.major);
  if (rule.minor !== undefined) unless(register.minor, rule.minor);
  const body = answer(rule.allow);
  return [...tests.map((test, at) => test(tests.length - 1 - at + body.length)), ...body];
}

function isForAll({ type, major, minor, access }: DeviceRule): boolean {
  return type === undefined && major === undefined && minor === undefined && accessMask(access ?? 'rwm') === allAccess;
}

/**
 * The program that decides, for each access of a container's processes to a device, whether it is allowed: cgroup v2's
 * way to do what the devices controller of v1 did. The last rule that matches decides; what no rule matches is denied.
 * Undefined when all is allowed, so that none is needed.
 *
 * @throws BerthError `launch.invalid`
 */
export function deviceProgram(rules: readonly DeviceRule[]): Buffer | undefined {
  // Nothing before a rule for all matters.
  const from = rules.findLastIndex(isForAll);
  const base = from >= 0 && rules[from]?.allow === true;
  const after = rules.slice(from + 1);
  if (base && after.every(({ allow }) => allow)) return undefined;
  return Buffer.concat([...prologue, ...after.toReversed().flatMap(decide), ...answer(base)]);
}
