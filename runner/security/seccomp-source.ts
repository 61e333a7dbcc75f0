import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';

const maxU32 = 2 ** 32 - 1;
const maxU64 = 2n ** 64n - 1n;

const action = z.enum([
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_LOG',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_TRAP',
]);
const operator = z.enum([
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
]);
const u32 = z.int().min(0).max(maxU32);
const operand = z.union([z.int().min(0), z.bigint().min(0n).max(maxU64)]);
const architecture = z.string().regex(/^SCMP_ARCH_[A-Z0-9_]+$/);
const names = z.array(z.string()).nullish();

const filter = z.object({
  caps: names,
  arches: names,
  minKernel: z
    .string()
    .regex(/^\d{1,4}\.\d{1,6}$/)
    .nullish(),
});
export type SeccompFilter = z.infer<typeof filter>;

const rule = z.object({
  names,
  name: z.string().nullish(),
  action,
  errnoRet: u32.nullish(),
  args: z
    .array(z.object({ index: z.int().min(0).max(5), value: operand, valueTwo: operand.nullish(), op: operator }))
    .nullish(),
  includes: filter.nullish(),
  excludes: filter.nullish(),
});

/** How the filter is installed; the flags for an agent that decides are not among them. */
const flags = z
  .array(z.enum(['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW']))
  .nullish();

const profile = z.object({
  defaultAction: action.or(z.literal('')).default(''),
  defaultErrnoRet: u32.nullish(),
  architectures: z.array(architecture).nullish(),
  archMap: z.array(z.object({ architecture, subArchitectures: z.array(architecture).nullish() })).nullish(),
  flags,
  listenerPath: z.literal('').nullish(),
  syscalls: z.array(rule).nullish(),
});

/** A profile in Docker's format (moby profiles/seccomp): an OCI profile whose rules have conditions. */
export type SeccompSource = z.infer<typeof profile>;

/**
 * Reads a profile as the docker CLI sends it.
 *
 * @throws BerthError `seccomp.profile` naming what is wrong
 */
export function parseSeccompSource(text: string): SeccompSource {
  const parsed = profile.safeParse(exactJson(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  const { architectures, archMap, syscalls } = parsed.data;
  if ((architectures ?? []).length > 0 && (archMap ?? []).length > 0) {
    throw malformed("both 'architectures' and 'archMap' are specified, use either 'architectures' or 'archMap'");
  }
  for (const one of syscalls ?? []) {
    if (!one.name || (one.names ?? []).length === 0) continue;
    throw malformed("both 'name' and 'names' are specified, use either 'name' or 'names'");
  }
  if (parsed.data.defaultAction === '' && (syscalls ?? []).length > 0) throw malformed('defaultAction: missing');
  return parsed.data;
}

/** Operands have 64 bits, which a JavaScript number does not hold. */
function exactJson(text: string): unknown {
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source ?? '';
    return typeof value === 'number' && !Number.isSafeInteger(value) && /^\d{1,20}$/.test(source)
      ? BigInt(source)
      : value;
  };
  try {
    return JSON.parse(text, exact);
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : 'no JSON', cause);
  }
}

function malformed(why: string, cause?: unknown): BerthError {
  const options = cause === undefined ? {} : { cause };
  return new BerthError('invalid', 'seccomp.profile', `decoding seccomp profile failed: ${why.slice(0, 300)}`, options);
}
