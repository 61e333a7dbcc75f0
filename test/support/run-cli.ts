import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runCommandLine } from '../../cli/main.ts';

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of the CLI in this process, with streams that are no terminal. */
export async function runCliWith(
  argv: readonly string[],
  around: {
    readonly environment?: Readonly<Record<string, string | undefined>>;
    readonly input?: string | Uint8Array;
    readonly workingDirectory?: string;
    readonly signal?: AbortSignal;
  } = {},
): Promise<CliResult> {
  const input = new PassThrough();
  const output = new PassThrough();
  const error = new PassThrough();
  const stdout = text(output);
  const stderr = text(error);
  input.end(around.input ?? '');
  const exitCode = await runCommandLine(argv, {
    streams: { input, output, error },
    environment: { BERTH_CONFIG: '/nonexistent/berth.json', ...around.environment },
    workingDirectory: around.workingDirectory ?? '/',
    signal: around.signal ?? new AbortController().signal,
  });
  output.end();
  error.end();
  return { exitCode, stdout: await stdout, stderr: await stderr };
}
