import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '#shared/errors.ts';
import { openRunnerDatabase } from './database.ts';
import { makeDirectory } from './os/files.ts';
import type { RunnerDatabase } from './runner-database.ts';

/** A data root in use by this process alone. */
export interface DataRoot extends Disposable {
  readonly path: string;
  readonly database: RunnerDatabase;
}

/**
 * Takes a data root for this process, making it when it is not there (0700). The lock is SQLite's on runner.db, which
 * the kernel releases however the process ends; runner.pid only serves the error of the next who tries.
 *
 * @throws BerthError `data-root.in-use`, `data-root.not-ours`, `data-root.unusable`
 */
export async function openDataRoot(path: string): Promise<DataRoot> {
  await makePrivate(path);
  const database = await lockDatabase(path);
  await writeFile(join(path, 'runner.pid'), `${process.pid}\n`, { mode: 0o600 });
  return { path, database, [Symbol.dispose]: () => database.close() };
}

/** What is in another's reach is made private, but only if it is a data root, or is to become one. */
async function makePrivate(path: string): Promise<void> {
  try {
    await makeDirectory(path);
    const { mode } = await stat(path);
    if ((mode & 0o077) === 0) return;
    const names = await readdir(path);
    if (names.length === 0 || names.includes('runner.db')) return await chmod(path, 0o700);
  } catch (cause) {
    throw new BerthError('unavailable', 'data-root.unusable', `The data root ${path} cannot be made or opened`, {
      cause,
      remedy: 'Run as root, and give a directory on a local file system with --data-root.',
    });
  }
  throw new BerthError(
    'conflict',
    'data-root.not-ours',
    `The directory ${path} is open to others and holds other files: it is no data root`,
    { remedy: 'Give an empty directory, or one that does not exist, with --data-root.' },
  );
}

async function lockDatabase(path: string): Promise<RunnerDatabase> {
  try {
    return openRunnerDatabase(join(path, 'runner.db'));
  } catch (cause) {
    if (!isBusy(cause)) {
      throw new BerthError('unavailable', 'data-root.unusable', `The database ${path}/runner.db cannot be opened`, {
        cause,
        remedy: 'See the cause; the disk may be full or the file damaged.',
      });
    }
    const pid = (await readFile(join(path, 'runner.pid'), 'utf8').catch(() => '')).trim();
    const holder = pid === '' ? 'another runner' : `another runner (pid ${pid})`;
    throw new BerthError('conflict', 'data-root.in-use', `The data root ${path} is in use by ${holder}`, {
      cause,
      remedy: 'Stop that one first, or give another data root with --data-root.',
    });
  }
}

/** SQLITE_BUSY (5): another process holds the lock. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}
