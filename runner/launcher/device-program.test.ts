import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeviceRule } from '#shared/oci/runtime-spec.ts';
import { defaultDeviceRules } from '../security/device-rules.ts';
import { DEVICE_INSTRUCTION_BYTES, deviceProgram } from './device-program.ts';

interface Access {
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** 1 make, 2 read, 4 write. */
  readonly bits: number;
}

/** Runs the program as the kernel does: the few instructions that it is made of. */
function run(program: Buffer, { type, major, minor, bits }: Access): number {
  const context = [(bits << 16) | (type === 'b' ? 1 : 2), major, minor];
  const registers = Array.from({ length: 11 }, () => 0);
  const read = (index: number): number => registers[index] ?? 0;
  for (let at = 0; at < program.length / DEVICE_INSTRUCTION_BYTES; at += 1) {
    const start = at * DEVICE_INSTRUCTION_BYTES;
    const code = program.readUInt8(start);
    const to = program.readUInt8(start + 1) & 15;
    const from = program.readUInt8(start + 1) >> 4;
    const offset = program.readInt16LE(start + 2);
    const value = program.readInt32LE(start + 4);
    if (code === 0x61) registers[to] = context[offset / 4] ?? Number.NaN;
    else if (code === 0x54) registers[to] = read(to) & value;
    else if (code === 0x74) registers[to] = read(to) >>> value;
    else if (code === 0xbc) registers[to] = read(from);
    else if (code === 0xb7) registers[to] = value;
    else if (code === 0x15) at += read(to) === value ? offset : 0;
    else if (code === 0x55) at += read(to) === value ? 0 : offset;
    else if (code === 0x5d) at += read(to) === read(from) ? 0 : offset;
    else if (code === 0x95) return read(0);
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('ran past the end');
}

const rule = fc.record(
  {
    allow: fc.boolean(),
    type: fc.constantFrom('c' as const, 'b' as const),
    major: fc.nat(3),
    minor: fc.nat(3),
    access: fc.constantFrom('r', 'w', 'm', 'rw', 'rm', 'rwm'),
  },
  { requiredKeys: ['allow'] },
);
const access = fc.record({
  type: fc.constantFrom('c' as const, 'b' as const),
  major: fc.nat(3),
  minor: fc.nat(3),
  bits: fc.integer({ min: 1, max: 7 }),
});

/** The same, said plainly. */
function granted(rules: readonly DeviceRule[], asked: Access): boolean {
  const last = rules.findLast(({ allow, type, major, minor, access: letters = 'rwm' }) => {
    const bits = letters.split('').reduce((sum: number, letter) => sum | (1 << 'mrw'.indexOf(letter)), 0);
    return (
      (type ?? asked.type) === asked.type &&
      (major ?? asked.major) === asked.major &&
      (minor ?? asked.minor) === asked.minor &&
      (allow ? (asked.bits & ~bits) === 0 : (asked.bits & bits) !== 0)
    );
  });
  return last?.allow ?? false;
}

test('the last rule that matches decides; what none matches is denied', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), access, (rules, asked) => {
      const program = deviceProgram(rules);
      const allowed = program === undefined || run(program, asked) === 1;
      expect(allowed).toBe(granted(rules, asked));
    }),
    { numRuns: 1000 },
  );
});

test('where all is allowed there is no program', () => {
  expect(deviceProgram([{ allow: true }])).toBeUndefined();
  expect(deviceProgram([{ allow: false }, { allow: true }, { allow: true, major: 1 }])).toBeUndefined();
  expect(deviceProgram([{ allow: true }, { allow: false, major: 1 }])).toBeDefined();
});

test("Docker's devices: any node may be made, only the harmless opened", () => {
  const program = deviceProgram(defaultDeviceRules) ?? Buffer.alloc(0);
  const may = (type: 'c' | 'b', major: number, minor: number, bits: number) =>
    run(program, { type, major, minor, bits });
  expect(may('b', 8, 0, 1)).toBe(1);
  expect(may('b', 8, 0, 2)).toBe(0);
  expect(may('b', 8, 0, 3)).toBe(0);
  expect(may('c', 1, 1, 2)).toBe(0); // mem
  expect(may('c', 10, 229, 6)).toBe(0); // fuse
  expect(may('c', 1, 3, 6)).toBe(1);
  expect(may('c', 136, 77, 7)).toBe(1);
});

test('an access that there is none of is refused', () => {
  expect(() => deviceProgram([{ allow: false }, { allow: true, access: 'x' }])).toThrow('unknown device access "x"');
});
