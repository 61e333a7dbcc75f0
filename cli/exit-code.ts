import { isBerthError, type ErrorKind } from '#shared/errors.ts';

/** The exit codes of `berth`, documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  failure: 1,
  invalid: 2,
  notFound: 3,
  denied: 4,
  conflict: 5,
  unavailable: 6,
  /** `exec` could not run the command (its own exit code is passed through otherwise). */
  execFailed: 125,
  notExecutable: 126,
  commandNotFound: 127,
  interrupted: 130,
} as const;

/** What each exit code means, in the order in which they are documented. */
export const exitCodeMeanings: ReadonlyMap<number, string> = new Map([
  [EXIT.ok, 'done'],
  [EXIT.failure, 'failed, for a reason that is not one of the following'],
  [EXIT.invalid, 'the command line or the input (a Compose file, an archive) is wrong'],
  [EXIT.notFound, 'the named object does not exist'],
  [EXIT.denied, 'the token is missing, wrong or expired, or its scope does not allow this'],
  [EXIT.conflict, 'the state of the object, or its name, is in the way'],
  [EXIT.unavailable, 'the control plane or a host cannot be reached now, or a wait ran out of time; try again'],
  [EXIT.execFailed, '`exec` only: the command could not be run (else its own exit code is passed on)'],
  [EXIT.notExecutable, '`exec` only: the command is in the container, but is no program that can be run'],
  [EXIT.commandNotFound, '`exec` only: the command is not in the container'],
  [EXIT.interrupted, 'interrupted by SIGINT or SIGTERM'],
]);

const codeOfKind = {
  invalid: EXIT.invalid,
  'too-large': EXIT.invalid,
  'not-found': EXIT.notFound,
  unauthenticated: EXIT.denied,
  forbidden: EXIT.denied,
  conflict: EXIT.conflict,
  unavailable: EXIT.unavailable,
  unsupported: EXIT.failure,
  internal: EXIT.failure,
} as const satisfies Record<ErrorKind, number>;

/** The exit code for anything that was thrown. */
export function exitCodeOf(error: unknown): number {
  return isBerthError(error) ? codeOfKind[error.kind] : EXIT.failure;
}

/** The exit code of an `exec` whose command did not run, as a shell's and Docker's: it is not one of `berth`'s own. */
export function execFailureCode(error: unknown): number {
  const code = isBerthError(error) ? error.code : '';
  if (code === 'launch.command-not-found') return EXIT.commandNotFound;
  return code === 'launch.command-not-executable' ? EXIT.notExecutable : EXIT.execFailed;
}
