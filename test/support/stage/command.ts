import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
export async function run(
  argv: readonly [string, ...string[]],
  options: {
    readonly environment?: NodeJS.ProcessEnv;
    readonly directory?: string;
    readonly input?: string;
    readonly signal?: AbortSignal;
  } = {},
): Promise<CommandResult> {
  const [program, ...args] = argv;
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: options.environment ?? process.env,
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  child.stdin.on('error', () => {}); // a program need not read its input
  child.stdin.end(options.input ?? '');
  const [[exitCode], stdout, stderr] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode: exitCode ?? 128, stdout, stderr };
}

/** The same, for a program that must succeed. @throws Error with what it said */
export async function runOk(
  argv: readonly [string, ...string[]],
  options: Parameters<typeof run>[1] = {},
): Promise<string> {
  const result = await run(argv, options);
  if (result.exitCode === 0) return result.stdout;
  throw new Error(`${argv.join(' ')}: exit code ${result.exitCode}\n${result.stderr}${result.stdout}`.trimEnd());
}
