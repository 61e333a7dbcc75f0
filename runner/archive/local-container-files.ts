import { Readable, type Writable } from 'node:stream';
import { BerthError } from '#shared/errors.ts';
import type { ContainerFiles, PathStat } from './container-files.ts';
import { containerPath } from './container-path.ts';
import { feedArchive } from './decompress.ts';
import { startFiles, viewArguments, type FilesRun } from './files-program.ts';

/** What an archive that is copied into a container may cost: far beyond what is copied, short of what numbers overflow. */
const writeLimits = { contentBytes: 2 ** 46, entries: 2 ** 31, depth: 2048, ratio: 2000 };

/** Files of containers by way of berth-files, one process an operation. */
export function createContainerFiles(binary: string): ContainerFiles {
  return {
    async stat(view, text) {
      const { path, follow, name } = containerPath(text);
      const argv = [...viewArguments(view, 'read'), '--', 'stat', path, follow ? '1' : '0'];
      using run = startFiles(binary, argv, { input: 'ignore' });
      const {
        size = 0,
        mode = 0,
        seconds = 0,
        nanoseconds = 0,
        link = '',
        isLink = false,
      } = await named(text, run.begun);
      return {
        name,
        sizeBytes: size,
        mode,
        modifiedAtMs: seconds * 1000 + nanoseconds / 1e6,
        linkTarget: isLink ? `/${link}` : '',
      } satisfies PathStat;
    },

    async read(view, text, { signal, sameFilesystem = false }) {
      const { path, follow, name } = containerPath(text);
      const shown = sameFilesystem && path === '' ? '' : name;
      const argv = ['--', 'read', path, follow ? '1' : '0', shown, sameFilesystem ? 'x' : ''];
      const run = startFiles(binary, [...viewArguments(view, 'read'), ...argv], { input: 'ignore', signal });
      await named(text, run.begun);
      return outputOf(run);
    },

    async write(view, text, archive, { signal, noOverwriteDirNonDir, owner }) {
      const { path } = containerPath(text);
      const own = owner === undefined ? ['-', '0'] : [String(owner.uid), String(owner.gid)];
      const { contentBytes, entries, depth, ratio } = writeLimits;
      const numbers = [contentBytes, entries, depth, ratio].map(String);
      const argv = ['--', 'write', path, noOverwriteDirNonDir ? '1' : '0', ...own, ...numbers];
      using run = startFiles(binary, [...viewArguments(view, 'write'), ...argv], { input: 'pipe', signal });
      const [fed, done] = await Promise.allSettled([feedAll(archive, run, signal), named(text, run.ended)]);
      signal?.throwIfAborted();
      if (fed.status === 'rejected') throw fed.reason;
      if (done.status === 'rejected') throw done.reason;
    },

    async readChanges(upper, { skipped, signal }) {
      const argv = ['tree', upper, '--', 'read', '', '0', '', 'l', ...skipped];
      const run = startFiles(binary, argv, { input: 'ignore', signal });
      await run.begun;
      return outputOf(run);
    },

    async copyOut(view, text, directory) {
      const { path } = containerPath(text);
      const argv = [...viewArguments(view, 'read'), '--', 'copy-out', path, directory];
      using run = startFiles(binary, argv, { input: 'ignore' });
      await run.ended;
    },
  };
}

/** A source that fails takes the program with it, which would otherwise take the end of its input for the archive's. */
async function feedAll(archive: Readable, run: FilesRun, signal?: AbortSignal): Promise<void> {
  const input = run.child.stdin as Writable;
  // A program that has ended reads no more: whoever sends the archive is not waited for.
  const stop = (): void => void archive.destroy();
  run.child.once('exit', stop);
  try {
    await feedArchive(archive, input, signal);
  } catch (error) {
    if (run.child.exitCode !== null) return; // it has said why
    run[Symbol.dispose]();
    throw error;
  } finally {
    run.child.off('exit', stop);
  }
}

/** With the path as it was asked for. */
async function named<T>(path: string, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== 'file.unknown') throw error;
    throw new BerthError('not-found', 'file.unknown', `Could not find the file ${path}`, { cause: error });
  }
}

/** What the program writes, ending in its failure where it fails; destroyed, it takes the program with it. */
export function outputOf(run: FilesRun): Readable {
  async function* whole(): AsyncGenerator<Buffer> {
    yield* run.output as AsyncIterable<Buffer>;
    await run.ended;
  }
  const stream = Readable.from(whole(), { objectMode: false });
  stream.once('close', () => run[Symbol.dispose]());
  return stream;
}
