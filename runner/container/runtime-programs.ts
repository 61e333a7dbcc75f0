import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { BerthError, errorText } from '#shared/errors.ts';
import type { OciRuntime } from '../launcher/launcher.ts';
import { BUILT_IN_RUNTIME, builtInRuntimes, type Runtimes } from './runtimes.ts';

const execute = promisify(execFile);

const knownNames = ['runc', 'crun', 'runsc'] as const;
const directories = ['/usr/local/bin', '/usr/sbin', '/usr/bin'] as const;
const VERSION_TIMEOUT_MS = 10_000;

/** What the command line says of runtimes. */
export interface RuntimeOptions {
  /** Programs by name, in the order given; of two with one name the last. */
  readonly configured: readonly (readonly [name: string, path: string])[];
  /** Absent: the built-in one. */
  readonly default?: string;
}

/**
 * The runtimes of this host: those configured, the usual ones that are installed, and the built-in one. `runc` is the
 * built-in one's other name where there is no such program.
 *
 * @param places where the usual ones are looked for
 * @throws BerthError `runner.runtime` for a program that cannot be run, or a default that there is not
 */
export async function findRuntimes(
  options: RuntimeOptions,
  places: readonly string[] = directories,
): Promise<Runtimes> {
  const configured = new Map(options.configured);
  for (const [name, path] of configured) checkProgram(name, path);
  const found = knownNames.flatMap((name): (readonly [string, string])[] => {
    const path = configured.has(name) ? undefined : places.map((place) => join(place, name)).find(isProgram);
    return path === undefined ? [] : [[name, path]];
  });
  const installed = await Promise.all(found.map(async ([name, path]) => [name, await installedProgram(path)] as const));
  const asked = await Promise.all(
    [...configured].map(async ([name, path]) => [name, await program(name, path)] as const),
  );
  const programs = new Map<string, OciRuntime | undefined>([
    ...builtInRuntimes.programs,
    ...installed.filter(([, one]) => one !== undefined),
    ...asked,
  ]);
  const name = options.default ?? BUILT_IN_RUNTIME;
  if (programs.has(name)) return { default: name, programs };
  throw refused(`--default-runtime ${name}: there is no such runtime`, `Give its program with --runtime ${name}=PATH.`);
}

/** Of what nobody asked for, what does not run is not there. */
async function installedProgram(path: string): Promise<OciRuntime | undefined> {
  return program('', path).catch(() => undefined);
}

/** Asks the program what it is, by which it shows that it runs at all. */
async function program(name: string, path: string): Promise<OciRuntime> {
  try {
    const { stdout } = await execute(path, ['--version'], { timeout: VERSION_TIMEOUT_MS, env: {} });
    return { path, deviceRules: /^crun\b/.test(stdout) ? 'launcher' : 'runtime' };
  } catch (cause) {
    const text = `--runtime ${name}=${path}: "${path} --version" failed: ${errorText(cause)}`;
    throw new BerthError('invalid', 'runner.runtime', text, { cause, remedy: 'Give the path of an OCI runtime.' });
  }
}

function checkProgram(name: string, path: string): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/.test(name)) throw refused(`--runtime "${name}" is no name of a runtime`);
  if (name === BUILT_IN_RUNTIME) throw refused(`--runtime ${name}: this is the name of the built-in runtime`);
  if (!isAbsolute(path)) throw refused(`--runtime ${name}=${path}: the path is not absolute`);
  if (!isProgram(path)) throw refused(`--runtime ${name}=${path}: there is no program that can be run`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function refused(text: string, remedy = 'See `berth runner --help`.'): BerthError {
  return new BerthError('invalid', 'runner.runtime', text, { remedy });
}
