import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BerthError, errorText } from '#shared/errors.ts';
import type { Session } from './command.ts';

/** An archive that can be read once for each host. */
export interface ArchiveSource extends AsyncDisposable {
  /** Undefined while it is a stream whose end is not known. */
  readonly sizeBytes: number | undefined;
  /** A reader of all of it, from the start. A source that is a stream has one only. */
  read(): AsyncIterable<Uint8Array>;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * The archive to load: a file, or standard input. Standard input for several readers is first copied to a temp file,
 * which has no name any more once it is open: nothing stays behind, whatever happens.
 *
 * @throws BerthError `cli.usage`, `image.archive-unreadable`
 */
export async function openArchive(path: string | undefined, readers: number, session: Session): Promise<ArchiveSource> {
  if (path !== undefined && path !== '-') return openFile(resolve(session.workingDirectory, path), path);
  const { input } = session.terminal;
  if (input.isTTY === true) {
    throw new BerthError('invalid', 'cli.usage', 'image load: standard input is a terminal', {
      remedy: 'Name the archive with -i FILE, or pipe it in.',
    });
  }
  if (readers > 1) return spool(input, session.signal);
  return {
    sizeBytes: undefined,
    read: () => bytesOf(input),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function openFile(path: string, shown: string): Promise<ArchiveSource> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Error('it is not a file');
    // Each reader opens the file itself, now once to tell that it can be read.
    await (await open(path)).close();
    return {
      sizeBytes: found.size,
      read: () => createReadStream(path, { highWaterMark: CHUNK_BYTES }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  } catch (error) {
    const kind = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not-found' : 'invalid';
    throw new BerthError(kind, 'image.archive-unreadable', `reading the archive ${shown}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

async function spool(input: NodeJS.ReadableStream, signal: AbortSignal): Promise<ArchiveSource> {
  const path = join(tmpdir(), `berth-load-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  try {
    let sizeBytes = 0;
    for await (const chunk of bytesOf(input)) {
      signal.throwIfAborted();
      await file.writeFile(chunk);
      sizeBytes += chunk.byteLength;
    }
    return {
      sizeBytes,
      read: () => readFrom(file),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** By position, so that several readers of one handle do not meet. */
async function* readFrom(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK_BYTES), { position });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function* bytesOf(input: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  for await (const chunk of input) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
