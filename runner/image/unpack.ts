import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { digest } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import { processEnd } from '../os/process-end.ts';
import { startedProcess } from '../os/started-process.ts';
import { extractFailures } from './extract-failures.ts';
import type { LayerLimits } from './limits.ts';

/** What berth-unpack says on success. All sizes in bytes. */
const unpackedLayer = z.object({
  ok: z.literal(true),
  /** Of the stream as it came, compressed or not. */
  digest,
  /** Of the tar inside. */
  diffId: digest,
  sourceBytes: z.int(),
  tarBytes: z.int(),
  contentBytes: z.int(),
  entries: z.int(),
  whiteouts: z.int(),
  /** Extended attributes that were left out: of a kind that layers may not set, or unknown to the file system. */
  skippedXattrs: z.int(),
  /** The layer hides everything below it. */
  opaqueRoot: z.boolean(),
  /** An entry took the place of an earlier one, whose content is nowhere now: its tar cannot be made again. */
  replaced: z.boolean(),
});
export type UnpackedLayer = z.infer<typeof unpackedLayer>;

const report = z.discriminatedUnion('ok', [
  unpackedLayer,
  z.object({ ok: z.literal(false), code: z.enum(extractFailures), entry: z.string(), message: z.string() }),
]);

/** Why berth-unpack refused; `unpackFailure` makes it an error that names the archive or layer. */
export type UnpackFailure = Extract<z.infer<typeof report>, { ok: false }>;

const maxReportBytes = 64 * 1024;

/** Reads a child's output to its end, keeping the first `maxReportBytes`. */
async function readBounded(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (size < maxReportBytes) chunks.push(chunk.subarray(0, maxReportBytes - size));
    size += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Feeds the child; resolves with the source's failure, if any. A child that stops reading is no failure of the source. */
async function feed(source: Readable, stdin: Writable): Promise<unknown> {
  try {
    await pipeline(source, stdin);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' ? undefined : error;
  }
}

/** Where the layer's bytes come from: an open file, from its beginning, or a stream. */
export type UnpackSource =
  | { readonly kind: 'file'; readonly fd: number }
  | { readonly kind: 'stream'; readonly stream: Readable };

/**
 * Runs berth-unpack: writes the layer into `directory`, which must be empty. Resolves with its report, good or bad; after
 * a bad one the directory holds something that must be thrown away.
 *
 * @throws BerthError `image.unpack-failed` when the program could not run or died; the source's error; the signal's reason
 */
export async function unpack(
  binary: string,
  directory: string,
  source: UnpackSource,
  options: {
    limits: LayerLimits;
    signal?: AbortSignal | undefined;
    /** A file to be made: how the tar is put together again (`layerTar`). */
    recipe?: string | undefined;
  },
): Promise<UnpackedLayer | UnpackFailure> {
  const { limits, signal } = options;
  signal?.throwIfAborted();
  const numbers = [limits.contentBytes, limits.entries, limits.depth, limits.ratio, process.pid];
  const child = startedProcess(
    spawn(binary, [directory, ...numbers.map(String), ...(options.recipe === undefined ? [] : [options.recipe])], {
      stdio: [source.kind === 'file' ? source.fd : 'pipe', 'pipe', 'pipe'],
      env: {},
    }),
  );
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const feeding =
      source.kind === 'stream' && child.stdin !== null
        ? feed(source.stream, child.stdin).then((failure) => {
            if (failure !== undefined) kill();
            return failure;
          })
        : undefined;
    const [stdout, stderr, how, sourceFailure] = await Promise.all([
      child.stdout === null ? '' : readBounded(child.stdout),
      child.stderr === null ? '' : readBounded(child.stderr),
      processEnd(child),
      feeding,
    ]);
    signal?.throwIfAborted();
    if (sourceFailure !== undefined) throw sourceFailure;
    return parseReport(binary, stdout, stderr, how);
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

/**
 * Waits until all that was written to the file system of `directory` is on disk: one call for the thousands of files of an
 * image, where one for each would take minutes.
 *
 * @throws BerthError `image.sync-failed`
 */
export async function syncFileSystem(binary: string, directory: string): Promise<void> {
  const child = spawn(binary, ['sync', directory], { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
  const [stderr, how] = await Promise.all([readBounded(child.stderr), processEnd(child)]);
  if (how === 'status 0') return;
  const message = `write ${directory} to disk: ${stderr.trim() || `${binary} ended with ${how}`}`;
  throw new BerthError('unavailable', 'image.sync-failed', message, {
    remedy: 'Look for errors of the disk in the kernel log, then load again.',
  });
}

function parseReport(binary: string, stdout: string, stderr: string, how: string): UnpackedLayer | UnpackFailure {
  try {
    return report.parse(JSON.parse(stdout));
  } catch (cause) {
    const message = `${binary} ended with ${how} and no report: ${stderr.trim() || 'it said nothing'}`;
    throw new BerthError('internal', 'image.unpack-failed', message, { cause });
  }
}

/** A refusal as an error; `what` names the archive or layer ("layer sha256:…"). */
export function unpackFailure(what: string, failure: UnpackFailure): BerthError {
  const entry = failure.entry === '' ? '' : `entry "${failure.entry}": `;
  const message = `unpack ${what}: ${entry}${failure.message}`;
  switch (failure.code) {
    case 'escape':
      return new BerthError('invalid', 'image.layer-escapes', message, {
        remedy: 'The archive tries to write outside its own tree. Do not use it.',
      });
    case 'too-large':
    case 'name-too-long':
      return new BerthError('too-large', 'image.layer-too-large', message);
    case 'not-tar':
    case 'corrupt':
    case 'bad-entry':
      return new BerthError('invalid', 'image.archive-corrupt', message, { remedy: 'Make or copy the archive anew.' });
    case 'unsupported':
      return new BerthError('unsupported', 'image.layer-unsupported', message);
    case 'no-space':
      return new BerthError('unavailable', 'image.no-space', message, {
        remedy: 'Free space on the file system of the data root, then load again.',
      });
    case 'io':
      return new BerthError('internal', 'image.unpack-failed', message);
  }
  return failure.code satisfies never;
}
