import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import { extractFailures } from '../image/extract-failures.ts';
import { processEnd } from '../os/process-end.ts';
import { startedProcess } from '../os/started-process.ts';
import type { FileView } from './container-files.ts';

const failureCode = z.enum([
  'unknown',
  'not-a-directory',
  'read-only-root',
  'read-only-volume',
  'overwrite',
  'gone',
  ...extractFailures,
]);

const failureReport = z.object({ ok: z.literal(false), code: failureCode, entry: z.string(), message: z.string() });
type FailureReport = z.infer<typeof failureReport>;

const report = z.discriminatedUnion('ok', [
  failureReport,
  z.looseObject({
    ok: z.literal(true),
    size: z.int().optional(),
    mode: z.int().optional(),
    seconds: z.int().optional(),
    nanoseconds: z.int().optional(),
    link: z.string().optional(),
    isLink: z.boolean().optional(),
  }),
]);
export type FilesReport = Extract<z.infer<typeof report>, { ok: true }>;

const maxReportBytes = 64 * 1024;

/** The descriptor on which berth-files says what it found. */
const reportFd = 3;

/** What berth-files is to look at; `write`: changes are the container's, else they end with the program. */
export function viewArguments(view: FileView, access: 'read' | 'write'): string[] {
  if (view.kind === 'process') return ['process', String(view.pid), view.cgroup];
  const { root, binds } = view;
  const mode = view.readonly === true ? 'ro' : 'rw';
  const mounts = binds.flatMap((bind) => ['bind', bind.readonly ? 'ro' : 'rw', bind.source, bind.destination]);
  switch (root.kind) {
    case 'overlay': {
      const lower = root.lower.toReversed();
      if (access === 'write') {
        return ['overlay', root.upper, root.work, mode, String(lower.length), ...lower, ...mounts];
      }
      // Its upper directory is one more layer then, so that a container may start meanwhile; it may not be there yet.
      const all = existsSync(root.upper) ? [root.upper, ...lower] : lower;
      return ['overlay', '-', '-', mode, String(all.length), ...all, ...mounts];
    }
    case 'directory':
      // No overlay, which may not work here: mount points that are missing are made in the root, as a start does.
      return ['directory', root.path, mode, ...mounts];
    default:
      return root satisfies never;
  }
}

/** A run of berth-files. Disposing it kills the program when it has not ended. */
export interface FilesRun extends Disposable {
  readonly child: ChildProcess;
  /** What it writes. */
  readonly output: Readable;
  /** Its first line. @throws BerthError `file.…` */
  readonly begun: Promise<FilesReport>;
  /** Its end. @throws BerthError `file.…` */
  readonly ended: Promise<void>;
}

/**
 * Starts berth-files.
 *
 * @param input what its standard input is
 * @throws BerthError `process.not-started`
 */
export function startFiles(
  binary: string,
  argv: readonly string[],
  options: { input: 'pipe' | 'ignore'; signal?: AbortSignal | undefined },
): FilesRun {
  const { signal } = options;
  signal?.throwIfAborted();
  if (argv.some((argument) => argument.includes('\0'))) {
    throw new BerthError('invalid', 'file.path-invalid', 'a path holds a zero byte');
  }
  const stdio = [options.input, 'pipe', 'ignore', 'pipe'] as const;
  const child = startedProcess(spawn(binary, [String(process.pid), ...argv], { stdio: [...stdio], env: {} }));
  // Taken from the beginning: what nobody reads, Node throws away when the child ends.
  const output = (child.stdout as Readable).pipe(new PassThrough());
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  const lines = reportLines(child.stdio[reportFd] as Readable);
  const how = processEnd(child).finally(() => signal?.removeEventListener('abort', kill));
  const begun = firstReport(lines.first, how, signal);
  const ended = lastReport(lines.all, how, signal);
  begun.catch(() => {}); // the other may be the one that is waited for
  ended.catch(() => {});
  return { child, output, begun, ended, [Symbol.dispose]: kill };
}

/** The lines of a report: the first as soon as it is there, all at its end. */
function reportLines(stream: Readable): { first: Promise<string>; all: Promise<readonly string[]> } {
  const first = Promise.withResolvers<string>();
  const all = Promise.withResolvers<readonly string[]>();
  const chunks: Buffer[] = [];
  let size = 0;
  const text = (): string => Buffer.concat(chunks).toString('utf8');
  stream.on('data', (chunk: Buffer) => {
    if (size < maxReportBytes) chunks.push(chunk.subarray(0, maxReportBytes - size));
    size += chunk.length;
    if (chunk.includes(10)) first.resolve(text().split('\n', 1)[0] ?? '');
  });
  stream.on('error', () => {}); // close follows
  stream.once('close', () => {
    first.resolve(text());
    all.resolve(text().split('\n'));
  });
  return { first: first.promise, all: all.promise };
}

async function firstReport(line: Promise<string>, how: Promise<string>, signal?: AbortSignal): Promise<FilesReport> {
  const text = await line;
  if (text === '') throw died(await how, signal);
  return accepted(text);
}

async function lastReport(all: Promise<readonly string[]>, how: Promise<string>, signal?: AbortSignal): Promise<void> {
  const [lines, end] = await Promise.all([all, how]);
  signal?.throwIfAborted();
  for (const line of lines) if (line !== '') accepted(line);
  if (end !== 'status 0') throw died(end, signal);
}

function accepted(line: string): FilesReport {
  const parsed = report.parse(JSON.parse(line));
  if (!parsed.ok) throw filesError(parsed);
  return parsed;
}

function died(how: string, signal?: AbortSignal): BerthError {
  signal?.throwIfAborted();
  return new BerthError('internal', 'file.failed', `berth-files ended with ${how} and no report`);
}

/** A refusal as an error. */
function filesError(failure: FailureReport): BerthError {
  const entry = failure.entry === '' ? '' : `"${failure.entry}": `;
  const message = `${entry}${failure.message}`;
  switch (failure.code) {
    case 'unknown':
      return new BerthError('not-found', 'file.unknown', `Could not find the file ${failure.entry}`);
    case 'not-a-directory':
      return new BerthError('invalid', 'file.not-a-directory', failure.message);
    case 'read-only-root':
    case 'read-only-volume':
      return new BerthError('invalid', 'file.read-only', failure.message);
    case 'overwrite':
      return new BerthError('invalid', 'file.not-replaced', failure.message);
    case 'gone':
      return new BerthError('conflict', 'file.container-ended', `The container ended meanwhile: ${failure.message}`, {
        remedy: 'Ask again.',
      });
    case 'escape':
    case 'not-tar':
    case 'corrupt':
    case 'bad-entry':
    case 'unsupported':
    case 'name-too-long':
    case 'too-large':
      return new BerthError('invalid', 'file.archive-invalid', message);
    case 'no-space':
      return new BerthError('unavailable', 'file.no-space', message);
    case 'io':
      return new BerthError('internal', 'file.failed', message);
    default:
      return failure.code satisfies never;
  }
}
