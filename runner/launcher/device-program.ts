import { BerthError } from '#shared/errors.ts';
import type { DeviceRule } from '#shared/oci/runtime-spec.ts';

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

/** Allows, and ends, when the rule grants all that is asked for; goes on behind itself otherwise. */
function grant(rule: DeviceRule): readonly Buffer[] {
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
      (offset) => instruction(opcode.jumpIfOther, register.scratch, { from: register.access, offset }),
    );
  }
  if (rule.major !== undefined) unless(register.major, rule.major);
  if (rule.minor !== undefined) unless(register.minor, rule.minor);
  const body = answer(true);
  return [...tests.map((test, at) => test(tests.length - 1 - at + body.length)), ...body];
}

function isUnconditional({ type, major, minor, access = 'rwm' }: DeviceRule): boolean {
  return type === undefined && major === undefined && minor === undefined && accessMask(access) === allAccess;
}

function invalid(what: string): BerthError {
  return new BerthError('invalid', 'launch.invalid', `plan launch: ${what}`);
}

/**
 * The program that decides, for each access of a container's processes to a device, whether it is allowed: cgroup v2's
 * way to do what the devices controller of v1 did. The rules are an allow list: the first denies all, the others allow.
 *
 * @throws BerthError `launch.invalid`, `launch.unsupported` for rules that are no such list
 */
export function deviceProgram(rules: readonly DeviceRule[]): Buffer {
  const [first, ...grants] = rules;
  const deniesAll = first !== undefined && !first.allow && first.type === undefined && first.major === undefined;
  if (!deniesAll || first.minor !== undefined || grants.some(({ allow }) => !allow)) {
    const what = 'plan launch: device rules other than "deny all, then allow some" are not supported';
    throw new BerthError('unsupported', 'launch.unsupported', what);
  }
  // The kernel refuses a program with instructions that nothing reaches.
  const everything = grants.findIndex(isUnconditional);
  if (everything >= 0)
    return Buffer.concat([...prologue, ...grants.slice(0, everything).flatMap(grant), ...answer(true)]);
  return Buffer.concat([...prologue, ...grants.flatMap(grant), ...answer(false)]);
}
