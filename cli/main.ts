import process from 'node:process';
import { Client } from './client.ts';
import type { Command, Session } from './command.ts';
import { commands } from './commands.ts';
import { resolveAddress } from './connection.ts';
import { configPath, ContextStore } from './context-store.ts';
import { errorJson, formatError } from './error-text.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { commandHelp, overview } from './help.ts';
import { parseArguments, usageError } from './parse-arguments.ts';
import { Terminal, type TerminalStreams } from './terminal.ts';

/** The process around one run of the CLI; tests give their own. */
export interface CliProcess {
  readonly streams: TerminalStreams;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly signal: AbortSignal;
}

/** Runs one command of the client with this process's streams. Resolves with the exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  // A reader that has seen enough (`berth logs … | head`) is no failure, and there is nobody left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  try {
    return await runCommandLine(argv, {
      streams: { input: process.stdin, output: process.stdout, error: process.stderr },
      environment: process.env,
      workingDirectory: process.cwd(),
      signal: interrupt.signal,
    });
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    process.stdin.destroy(); // an unread standard input would keep the process alive
  }
}

/** The same with everything of the process passed in. Every error is printed, none is thrown. */
export async function runCommandLine(argv: readonly string[], around: CliProcess): Promise<number> {
  const terminal = new Terminal(around.streams, around.environment);
  try {
    return await dispatch(argv, terminal, around);
  } catch (error) {
    if (around.signal.aborted) {
      terminal.clearProgress();
      return EXIT.interrupted;
    }
    terminal.clearProgress();
    const isForPrograms = wantsJson(argv);
    around.streams.error.write(isForPrograms ? errorJson(error) : formatError(error));
    return exitCodeOf(error);
  }
}

/** Read from the words themselves: the error may be that they cannot be parsed. */
function wantsJson(argv: readonly string[]): boolean {
  const [verb] = argv;
  const end = verb === 'exec' ? 1 : argv.length;
  return argv.slice(0, argv.includes('--') ? Math.min(argv.indexOf('--'), end) : end).includes('--json');
}

async function dispatch(argv: readonly string[], terminal: Terminal, around: CliProcess): Promise<number> {
  const [verb] = argv;
  if (verb === undefined || verb === '--help' || verb === '-h') {
    await terminal.write(overview(commands));
    return verb === undefined ? EXIT.invalid : EXIT.ok;
  }
  const { command, rest } = findCommand(verb === '--version' ? ['version', ...argv.slice(1)] : argv);
  const { args, options } = parseArguments(command, rest);
  if (options['help'] === true) {
    await terminal.write(commandHelp(command));
    return EXIT.ok;
  }
  const contextName = typeof options['context'] === 'string' ? options['context'] : undefined;
  const session = openSession(terminal, around, contextName);
  return command.run({
    args: args as Parameters<Command['run']>[0]['args'],
    options: options as Parameters<Command['run']>[0]['options'],
    session,
  });
}

function openSession(terminal: Terminal, around: CliProcess, contextName: string | undefined): Session {
  const contexts = new ContextStore(configPath(around.environment));
  return {
    commands,
    terminal,
    contexts,
    environment: around.environment,
    workingDirectory: around.workingDirectory,
    signal: around.signal,
    connect: async () => new Client(await resolveAddress(contexts, contextName, around.environment), around.signal),
  };
}

/**
 * The command that the first one or two words name, and the words after it.
 *
 * @throws BerthError `cli.usage`
 */
function findCommand(argv: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(' ');
    const command = commands.find((one) => one.name === name || one.alias === name);
    if (command !== undefined) return { command, rest: argv.slice(length) };
  }
  const [noun = ''] = argv;
  const verbs = commands.filter((one) => one.name.startsWith(`${noun} `)).map((one) => one.name);
  if (verbs.length === 0) throw usageError('', `there is no command "${noun}"`);
  throw usageError('', `"${noun}" needs a verb: ${verbs.join(', ')}`);
}
