import { errorText, isBerthError, type BerthError, type ErrorKind } from '#shared/errors.ts';

const statusOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
  unsupported: 501,
  internal: 500,
};

/** Texts that clients look for, to tell a command that is not there (127) or cannot be run (126) from other failures. */
const textsOfCode: Readonly<Record<string, (error: BerthError) => { status?: number; message: string }>> = {
  'launch.command-not-found': notStarted,
  'launch.command-not-executable': notStarted,
  'sysctl.refused': (error) => ({ status: 500, message: `${createFailed}: ${error.message}: unknown` }),
  'launch.user-unknown': (error) => ({ status: 400, message: unknownUser(error) }),
  'launch.failed': notLaunched,
  'mount.guarded': (error) => ({ message: `${startFailed}: ${error.message}: unknown` }),
  'log.options': (error) => ({ message: `failed to create task for container: ${error.message}` }),
  'container.no-command': () => ({ message: 'no command specified' }),
  'signal.unknown': (error) => ({ message: `invalid signal: ${/"(.*)"/.exec(error.message)?.[1] ?? ''}` }),
  'image.reference-invalid': (error) => ({ message: error.message.replace(/^image reference ".*": /s, '') }),
};

function notStarted(error: BerthError): { status: number; message: string } {
  return { status: 400, message: `${startFailed}: ${commandText(error)}: unknown` };
}

/** A directory over a file, or the other way round, has a text of its own that people look for; the rest is ours. */
function notLaunched(error: BerthError): { status: number; message: string } {
  const [, directory] = /: open working directory (\/.*): ENOTDIR:/s.exec(error.message) ?? [];
  if (directory !== undefined) return { status: 500, message: `Cannot mkdir: ${directory} is not a directory` };
  const [, destination] = /: (?:open mount point|bind on) (\/.*): ENOTDIR:/s.exec(error.message) ?? [];
  if (destination === undefined) return { status: 500, message: error.message };
  const why =
    'Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type';
  const what = `error during container init: error mounting to rootfs at "${destination}": not a directory`;
  return { status: 400, message: `${startFailed}: ${what}: unknown: ${why}` };
}

/** A user or group that the container does not have, in dockerd's words. */
export function unknownUser(error: BerthError): string {
  const [, kind, name] = /find (user|group) (.*): E[A-Z]+:/s.exec(error.message) ?? [];
  if (kind === undefined) return error.message;
  return `unable to find ${kind} ${name ?? ''}: no matching entries in ${kind === 'user' ? 'passwd' : 'group'} file`;
}

const createFailed =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed';
const startFailed =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: unable to start container process';

const errnoTexts: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EACCES: 'permission denied',
};

/** Why an exec did not begin, in runc's words where there are some. */
export function execFailure(error: BerthError): string {
  const failed = (why: string): string =>
    `OCI runtime exec failed: exec failed: unable to start container process: ${why}: unknown`;
  if (error.code === 'launch.user-unknown') return unknownUser(error);
  if (['launch.command-not-found', 'launch.command-not-executable'].includes(error.code)) {
    return failed(commandText(error));
  }
  const [, path, errno = ''] = /open working directory (.*): (E[A-Z]+):/s.exec(error.message) ?? [];
  if (path === undefined) return error.message;
  return failed(`chdir to cwd (${JSON.stringify(path)}) set in config.json failed: ${errnoTexts[errno] ?? errno}`);
}

/** An error as the Docker API tells it (ErrorResponse): the one place where that is decided. */
export function errorAnswer(error: unknown): { readonly status: number; readonly body: { readonly message: string } } {
  if (!isBerthError(error)) return { status: 500, body: { message: errorText(error) } };
  const told = textsOfCode[error.code]?.(error);
  if (told !== undefined) return { status: told.status ?? statusOfKind[error.kind], body: { message: told.message } };
  const message = error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`;
  return { status: statusOfKind[error.kind], body: { message } };
}

/** A command that could not be executed, in runc's words. */
export function commandText(error: BerthError): string {
  const command = /"([^"]*)"/.exec(error.remedy ?? '')?.[1] ?? '';
  if (error.code === 'launch.command-not-executable') return `exec: "${command}": permission denied`;
  return command.includes('/')
    ? `exec: "${command}": stat ${command}: no such file or directory`
    : `exec: "${command}": executable file not found in $PATH`;
}
