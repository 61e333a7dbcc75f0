import type { SeccompProfile } from '#shared/oci/runtime-spec.ts';
import { seccompRules, type Architecture, type Condition } from './seccomp-rules.ts';

export interface SeccompFacts {
  readonly capabilities: readonly string[];
  readonly architecture: Architecture;
  /** Kernel release as uname prints it (`6.1.0-13-amd64`). */
  readonly kernel: string;
}

/** The architecture's own name and the ones whose binaries its kernel also runs. */
const filteredArchitectures = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
} as const satisfies Record<Architecture, readonly string[]>;

const eperm = 1;

/**
 * The system call filter of a container, with the effect of Docker's default profile for the same capabilities,
 * architecture and kernel. What no rule allows fails with EPERM.
 */
export function seccompProfile(facts: SeccompFacts): SeccompProfile {
  const capabilities = new Set(facts.capabilities);
  const release = kernelVersion(facts.kernel);
  const holds = (when: Condition): boolean =>
    (when.withCapability === undefined || capabilities.has(when.withCapability)) &&
    (when.withoutCapability === undefined || !capabilities.has(when.withoutCapability)) &&
    (when.architecture === undefined || when.architecture === facts.architecture) &&
    (when.kernel === undefined || atLeast(release, when.kernel));
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: eperm,
    architectures: filteredArchitectures[facts.architecture],
    syscalls: seccompRules.filter(({ when }) => holds(when)).map(({ rule }) => rule),
  };
}

/** [major, minor] of a release. */
export function kernelVersion(release: string): readonly [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(release);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}

/** Whether a kernel is as new as another. */
export function atLeast(have: readonly [number, number], want: readonly [number, number]): boolean {
  return have[0] > want[0] || (have[0] === want[0] && have[1] >= want[1]);
}
