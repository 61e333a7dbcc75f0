import { BerthError, errorText } from '#shared/errors.ts';
import { execTrailer } from '#shared/relay/header.ts';
import { encodeLine } from '#shared/relay/lines.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { Client } from '../client.ts';
import { defineCommand, type Session } from '../command.ts';
import { execFailureCode } from '../exit-code.ts';
import { formatError } from '../error-text.ts';
import { keyValue, text } from '../option-values.ts';
import { rawMode, terminalSize } from '../raw-mode.ts';
import { Copies, dialRelay, type Relay } from '../relay.ts';
import { findTask } from '../task-reference.ts';
import { writeAll, type Terminal } from '../terminal.ts';

interface ExecWish {
  readonly taskId: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly workingDirectory: string | undefined;
}

export const exec = defineCommand({
  name: 'exec',
  summary: 'Run a command in the container of a task',
  description:
    'The exit code is that of the command; 127: it is not there, 126: not executable, 125: not run for another reason.',
  args: {
    TASK: { arity: 'one', summary: 'Id of the task, or stack/service.slot' },
    COMMAND: { arity: 'some', summary: 'The command and its arguments' },
  },
  passThrough: true,
  options: {
    interactive: { kind: 'flag', short: 'i', summary: 'Pass on standard input' },
    tty: { kind: 'flag', short: 't', summary: 'Give the command a terminal' },
    env: { kind: 'list', short: 'e', metavar: 'KEY=VALUE', summary: 'Set a variable', parse: keyValue },
    user: { kind: 'value', short: 'u', metavar: 'USER', summary: 'Run as this user (name or uid[:gid])', parse: text },
    workdir: { kind: 'value', short: 'w', metavar: 'DIR', summary: 'Run in this directory', parse: text },
  },
  examples: ['berth exec -it hello/web.1 sh', 'berth exec hello/web.1 ls -l /'],
  async handler({ args, options, session }) {
    const { terminal } = session;
    if (options.tty && options.interactive && terminal.input.isTTY !== true) {
      throw new BerthError('invalid', 'cli.usage', 'exec: standard input is not a terminal', {
        remedy: 'Leave out -t: berth exec -i …',
      });
    }
    try {
      const client = await session.connect();
      const { tasks } = await client.tasks();
      return await runExec(session, client, {
        taskId: findTask(args.TASK, tasks).id,
        command: args.COMMAND,
        tty: options.tty,
        stdin: options.interactive,
        environment: Object.fromEntries(options.env),
        user: options.user,
        workingDirectory: options.workdir,
      });
    } catch (error) {
      if (session.signal.aborted) throw error;
      // Any other code could be the command's own.
      terminal.error.write(formatError(error));
      return execFailureCode(error);
    }
  },
});

async function runExec({ terminal, signal }: Session, client: Client, wish: ExecWish): Promise<number> {
  const copies = new Copies();
  const onStream = (stream: RelayStream): void => {
    copies.add(copyOut(stream, terminal.error));
  };
  await using relay = await dialRelay(client, { type: 'exec', taskId: wish.taskId }, onStream, signal);
  const size = wish.tty ? terminalSize(terminal) : undefined;
  const stream = relay.open({
    type: 'exec',
    taskId: wish.taskId,
    command: [...wish.command],
    tty: wish.tty,
    stdin: wish.stdin,
    environment: { ...wish.environment },
    ...(size === undefined ? {} : { size }),
    ...(wish.user === undefined ? {} : { user: wish.user }),
    ...(wish.workingDirectory === undefined ? {} : { workingDirectory: wish.workingDirectory }),
  });
  using cleanup = new DisposableStack();
  if (wish.tty && wish.stdin) cleanup.use(rawMode(terminal));
  if (wish.tty) cleanup.use(followSize(relay, stream, terminal));
  const input = wish.stdin ? copyIn(terminal, stream) : stream.end();
  input.catch(() => {}); // a command may end before it has read all: its exit code tells
  copies.add(copyOut(stream, terminal.output));
  const trailer = execTrailer.parse(await stream.finished);
  await copies.done();
  return trailer.exitCode;
}

/** The remote output to a local stream; reading it is what grants the sender more. */
async function copyOut(stream: RelayStream, output: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of stream.readable) await writeAll(output, chunk);
}

async function copyIn({ input }: Terminal, stream: RelayStream): Promise<void> {
  try {
    for await (const chunk of input) await stream.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    await stream.end();
  } catch (error) {
    throw new BerthError('internal', 'cli.input', `reading standard input: ${errorText(error)}`, { cause: error });
  }
}

/** Tells the host of each change of the local terminal's size. */
function followSize(relay: Relay, stream: RelayStream, terminal: Terminal): Disposable {
  const control = relay.open({ type: 'control', of: stream.id });
  const onResize = (): void => {
    const size = terminalSize(terminal);
    // A relay that is lost ends the whole command; a size that does not arrive is no more than that.
    if (size !== undefined) control.write(encodeLine({ kind: 'resize', size })).catch(() => {});
  };
  terminal.output.on('resize', onResize);
  onResize();
  return {
    [Symbol.dispose]: () => {
      terminal.output.removeListener('resize', onResize);
    },
  };
}
