import { BerthError } from '#shared/errors.ts';
import type { OciRuntime } from '../launcher/launcher.ts';

/** The runtime that is built in. */
export const BUILT_IN_RUNTIME = 'berth';

/** The runtimes of a host, by the names that a container's config may give. */
export interface Runtimes {
  /** For containers that name none. */
  readonly default: string;
  /** The program of each; undefined: the built-in runtime. */
  readonly programs: ReadonlyMap<string, OciRuntime | undefined>;
}

/** `runc` is what clients write who mean the usual one. */
export const builtInRuntimes: Runtimes = {
  default: BUILT_IN_RUNTIME,
  programs: new Map([
    [BUILT_IN_RUNTIME, undefined],
    ['runc', undefined],
  ]),
};

/**
 * The program of a runtime, undefined for the built-in one.
 *
 * @throws BerthError `runtime.unknown` with dockerd's text
 */
export function runtimeProgram({ programs }: Runtimes, name: string): OciRuntime | undefined {
  if (programs.has(name)) return programs.get(name);
  throw new BerthError('invalid', 'runtime.unknown', `unknown or invalid runtime name: ${name.slice(0, 80)}`);
}
