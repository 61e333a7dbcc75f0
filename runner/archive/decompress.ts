import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Duplex, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { BerthError, errorText } from '#shared/errors.ts';
import { sniffed } from '../image/sniffed-stream.ts';
import { startedProcess } from '../os/started-process.ts';

/** Debian's own programs for what Node cannot read; never looked up by name. */
const programs = {
  bzip2: ['/usr/bin/bzip2', '/bin/bzip2'],
  xz: ['/usr/bin/xz', '/bin/xz'],
} as const;

const magics = [
  { kind: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { kind: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { kind: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
] as const;

const sniffBytes = 6;

/** A decompressor as a child: its standard input and output. */
function program(kind: keyof typeof programs): Duplex {
  const path = programs[kind].find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new BerthError(
      'unsupported',
      'file.archive-invalid',
      `the archive is ${kind}, which needs ${programs[kind][0]}`,
      {
        remedy: `Install it (apt-get install ${kind === 'xz' ? 'xz-utils' : kind}), or send the archive plain or as gzip.`,
      },
    );
  }
  const child = startedProcess(spawn(path, ['-dcq'], { stdio: ['pipe', 'pipe', 'ignore'], env: {} }));
  const both = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.once('exit', (code) => {
    if (code !== 0) both.destroy(damaged(kind, `${path} ended with status ${code}`));
  });
  both.once('close', () => child.kill('SIGKILL'));
  return both;
}

function damaged(kind: string, why: string): BerthError {
  return new BerthError('invalid', 'file.archive-invalid', `the archive's ${kind} stream is damaged: ${why}`);
}

/**
 * Feeds an archive to a program that reads plain tars and gzip; bzip2, xz and zstd are decompressed on the way. Resolves
 * when all is written, also when the program wants no more.
 *
 * @throws BerthError `file.archive-invalid`; what the archive's own stream fails with
 */
export async function feedArchive(
  archive: Readable,
  target: NodeJS.WritableStream,
  signal?: AbortSignal,
): Promise<void> {
  const { start, whole } = await sniffed(archive, sniffBytes);
  const kind = magics.find(({ bytes }) => bytes.every((byte, at) => start[at] === byte))?.kind;
  const options = signal === undefined ? {} : { signal };
  try {
    if (kind === undefined) await pipeline(whole, target, options);
    else await pipeline(whole, kind === 'zstd' ? createZstdDecompress() : program(kind), target, options);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ERR_STREAM_DESTROYED') return;
    if (kind === 'zstd' && code?.startsWith('ZSTD_') === true) throw damaged(kind, errorText(error));
    throw error;
  }
}
