import { z } from 'zod';
import { BerthError, isBerthError } from '#shared/errors.ts';
import type { ExecSession } from '../launcher/launcher.ts';
import { json, type Answer } from './answer.ts';
import { jsonBody, parameter, type ApiRequest } from './api-request.ts';
import { terminalSize } from './container-lifecycle.ts';
import { refusePaused } from './container-pause.ts';
import type { DockerApiContext } from './context.ts';
import { detachKeys } from './detach-keys.ts';
import { notRunning, requireContainer, restarting } from './docker-errors.ts';
import { execFailure } from './error-answer.ts';
import type { Exec } from './exec-registry.ts';
import { bridge } from './session-bridge.ts';
import { streamType } from './stream-type.ts';
import { containerEvent } from './translate/event-message.ts';
import { stdFrame } from './translate/stdcopy.ts';

const consoleSize = z.array(z.int().min(0).max(65_535)).length(2).nullish(); // rows, columns

const execBody = z.looseObject({
  User: z.string().nullish(),
  Privileged: z.boolean().nullish(),
  Tty: z.boolean().nullish(),
  ConsoleSize: consoleSize,
  AttachStdin: z.boolean().nullish(),
  AttachStdout: z.boolean().nullish(),
  AttachStderr: z.boolean().nullish(),
  DetachKeys: z.string().nullish(),
  Env: z.array(z.string()).nullish(),
  WorkingDir: z.string().nullish(),
  Cmd: z.array(z.string()).nullish(),
});

/** POST /containers/{id}/exec */
export async function createExec(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const body = await jsonBody(request, execBody);
  if (record.state === 'restarting') throw restarting(record);
  if (record.state !== 'running') throw notRunning(record);
  refusePaused(record, 'exec', parameter(request, 'id'));
  const args = body.Cmd ?? [];
  if (args.length === 0) throw new BerthError('invalid', 'docker.no-exec-command', 'No exec command specified');
  detachKeys(body.DetachKeys ?? ''); // refused here when they are none
  const [rows, columns] = body.ConsoleSize ?? [];
  const exec = context.execs.add({
    containerId: record.id,
    detachKeys: body.DetachKeys ?? '',
    attach: {
      stdin: body.AttachStdin ?? false,
      stdout: body.AttachStdout ?? false,
      stderr: body.AttachStderr ?? false,
    },
    request: {
      args,
      env: body.Env ?? [],
      cwd: body.WorkingDir ?? '',
      user: body.User ?? '',
      terminal: body.Tty ?? false,
      stdin: body.AttachStdin ?? false,
      privileged: body.Privileged ?? false,
      ...(rows === undefined || columns === undefined || rows === 0 ? {} : { size: { rows, columns } }),
    },
  });
  const attributes = { execID: exec.id };
  context.events.tell(containerEvent(record, `exec_create: ${args.join(' ')}`, attributes));
  return json({ Id: exec.id }, 201);
}

const startBody = z.looseObject({
  Detach: z.boolean().nullish(),
  Tty: z.boolean().nullish(),
  ConsoleSize: consoleSize,
});

/** POST /exec/{id}/start */
export async function startExec(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const exec = context.execs.require(parameter(request, 'id'));
  const body = await jsonBody(request, startBody);
  const record = requireContainer(context, exec.containerId);
  if (exec.started) throw new BerthError('conflict', 'docker.exec-started', `Exec ${exec.id} has already run`);
  if (record.state === 'restarting') throw restarting(record);
  if (record.state !== 'running') throw notRunning(record);
  refusePaused(record, 'exec', record.id);
  exec.started = true;
  const starting = begin(context, exec);
  if (body.Detach === true) {
    const session = await starting.catch((error: unknown) => {
      throw execError(error);
    });
    session.stdout.resume();
    session.stderr.resume();
    void finish(context, exec, session);
    return { kind: 'text', body: '' };
  }
  starting.catch(() => {}); // awaited below
  const { terminal } = exec.request;
  return {
    kind: 'hijack',
    contentType: streamType(request, terminal),
    async serve(connection) {
      let session: ExecSession;
      try {
        session = await starting;
      } catch (error) {
        // The head is out: the client reads why from the stream, and that it failed from the exit code.
        const bytes = new TextEncoder().encode(`${execError(error).message}\r\n`);
        await connection.output.write(terminal ? bytes : stdFrame('stdout', bytes));
        return;
      }
      const keys = terminal ? detachKeys(exec.detachKeys) : [];
      const end = await bridge(session, connection, { ...exec.attach, terminal, closeStdin: true, keys });
      if (end === 'detached') tell(context, exec, 'exec_detach', {});
      if (end === 'ended') await finish(context, exec, session);
      else leave(context, exec, session);
    },
  };
}

async function begin(context: DockerApiContext, exec: Exec): Promise<ExecSession> {
  try {
    const session = await context.engine.exec(exec.containerId, exec.request);
    exec.session = session;
    exec.pid = session.pid;
    if (!exec.attach.stdin) session.stdin.end();
    tell(context, exec, `exec_start: ${exec.request.args.join(' ')}`, {});
    return session;
  } catch (error) {
    exec.exitCode = failureExitCode(error);
    throw error;
  }
}

/** The client has gone, or detached itself: the process runs on, its output dropped, as with dockerd. */
function leave(context: DockerApiContext, exec: Exec, session: ExecSession): void {
  session.stdin.end();
  void finish(context, exec, session);
}

/** Waits for the process's end and remembers its exit code. */
async function finish(context: DockerApiContext, exec: Exec, session: ExecSession): Promise<void> {
  exec.exitCode = await session.exit.catch(() => 137); // ended with its container
  exec.session = undefined;
  await session[Symbol.asyncDispose]();
  tell(context, exec, 'exec_die', { exitCode: `${exec.exitCode}` });
}

function tell(
  context: DockerApiContext,
  exec: Exec,
  action: string,
  attributes: Readonly<Record<string, string>>,
): void {
  const record = context.engine.find(exec.containerId);
  if (record !== undefined) context.events.tell(containerEvent(record, action, { execID: exec.id, ...attributes }));
}

function failureExitCode(error: unknown): number {
  const code = isBerthError(error) ? error.code : '';
  if (code === 'launch.command-not-found') return 127;
  return 126;
}

function execError(error: unknown): BerthError {
  if (isBerthError(error)) {
    const text = execFailure(error);
    return text === error.message ? error : new BerthError('invalid', 'docker.exec-failed', text, { cause: error });
  }
  return new BerthError('internal', 'docker.exec-failed', 'OCI runtime exec failed', { cause: error });
}

/** POST /exec/{id}/resize */
export async function resizeExec(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const exec = context.execs.require(parameter(request, 'id'));
  const size = terminalSize(request);
  if (exec.session === undefined) {
    throw new BerthError('invalid', 'docker.exec-not-running', `cannot resize exec ${exec.id}: it is not running`);
  }
  await exec.session.resize(size);
  return { kind: 'text', body: '' };
}

/** GET /exec/{id}/json */
export function inspectExec(context: DockerApiContext, request: ApiRequest): Answer {
  const exec = context.execs.require(parameter(request, 'id'));
  const [entrypoint = '', ...rest] = exec.request.args;
  return json({
    ID: exec.id,
    Running: exec.session !== undefined,
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: exec.request.terminal,
      entrypoint,
      arguments: rest,
      privileged: exec.request.privileged ?? false,
      ...(exec.request.user === '' ? {} : { user: exec.request.user }),
    },
    OpenStdin: exec.attach.stdin,
    OpenStderr: exec.attach.stderr,
    OpenStdout: exec.attach.stdout,
    CanRemove: false,
    ContainerID: exec.containerId,
    // Bytes, as Go writes them.
    DetachKeys: exec.detachKeys === '' ? '' : Buffer.from(detachKeys(exec.detachKeys)).toString('base64'),
    Pid: exec.pid,
  });
}
