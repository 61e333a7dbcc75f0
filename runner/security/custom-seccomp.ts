import type { SeccompProfile } from '#shared/oci/runtime-spec.ts';
import { atLeast, kernelVersion, type SeccompFacts } from './seccomp.ts';
import type { SeccompFilter, SeccompSource } from './seccomp-source.ts';

const ownArchitecture = { amd64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' } as const;

/**
 * The rules of a profile whose conditions hold for a container (moby profiles/seccomp, `setupSeccomp`): a rule is left
 * out when one of its `excludes` holds, or when one of its `includes` does not. Undefined: the profile filters nothing.
 */
export function evaluatedSeccomp(source: SeccompSource, facts: SeccompFacts): SeccompProfile | undefined {
  const { defaultAction } = source;
  if (defaultAction === '') return undefined;
  const own = (source.archMap ?? []).find((one) => one.architecture === ownArchitecture[facts.architecture]);
  const mapped = own === undefined ? [] : [own.architecture, ...(own.subArchitectures ?? [])];
  return {
    defaultAction,
    ...(source.defaultErrnoRet == null ? {} : { defaultErrnoRet: source.defaultErrnoRet }),
    architectures: [...(source.architectures ?? []), ...mapped],
    ...(source.flags == null ? {} : { flags: source.flags }),
    syscalls: (source.syscalls ?? [])
      .filter((rule) => !excluded(rule.excludes ?? {}, facts) && included(rule.includes ?? {}, facts))
      .map((rule) => ({
        names: rule.name ? [rule.name] : (rule.names ?? []),
        action: rule.action,
        ...(rule.errnoRet == null ? {} : { errnoRet: rule.errnoRet }),
        ...(rule.args == null ? {} : { args: rule.args.map(argument) }),
      })),
  };
}

type SourceArgument = NonNullable<NonNullable<NonNullable<SeccompSource['syscalls']>[number]['args']>[number]>;

function argument({ index, value, valueTwo, op }: SourceArgument) {
  return { index, value, op, ...(valueTwo == null ? {} : { valueTwo }) };
}

/** Any of the conditions is enough. */
function excluded({ arches, caps, minKernel }: SeccompFilter, facts: SeccompFacts): boolean {
  if (arches?.includes(facts.architecture)) return true;
  if (caps?.some((name) => facts.capabilities.includes(name))) return true;
  return minKernel != null && kernelHas(facts.kernel, minKernel);
}

/** All of the conditions must hold. */
function included({ arches, caps, minKernel }: SeccompFilter, facts: SeccompFacts): boolean {
  if (arches != null && arches.length > 0 && !arches.includes(facts.architecture)) return false;
  if (caps?.some((name) => !facts.capabilities.includes(name))) return false;
  return minKernel == null || kernelHas(facts.kernel, minKernel);
}

function kernelHas(release: string, wanted: string): boolean {
  return atLeast(kernelVersion(release), kernelVersion(wanted));
}
