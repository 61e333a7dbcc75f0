import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BerthError, errorText } from '#shared/errors.ts';

/**
 * The right to use a data directory, held by one process at a time. It is SQLite's own lock on a file beside the
 * database, which the kernel releases however the process ends.
 */
export class DataLock implements Disposable {
  readonly #file: DatabaseSync;

  private constructor(file: DatabaseSync) {
    this.#file = file;
  }

  /** @throws BerthError `data.in-use`, `data.unusable` */
  static take(dataDirectory: string): DataLock {
    const file = openFile(dataDirectory);
    try {
      file.exec('BEGIN EXCLUSIVE');
    } catch (cause) {
      file.close();
      if (!isBusy(cause)) throw unusable(dataDirectory, cause);
      throw new BerthError(
        'conflict',
        'data.in-use',
        `another control plane uses the data directory ${dataDirectory}`,
        {
          cause,
          remedy: 'Stop that one first, or choose another directory with --data DIR.',
        },
      );
    }
    return new DataLock(file);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function openFile(dataDirectory: string): DatabaseSync {
  try {
    return new DatabaseSync(join(dataDirectory, 'lock'));
  } catch (cause) {
    throw unusable(dataDirectory, cause);
  }
}

/** SQLITE_BUSY (5): another process holds the lock. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}

function unusable(dataDirectory: string, cause: unknown): BerthError {
  const path = join(dataDirectory, 'lock');
  return new BerthError('unavailable', 'data.unusable', `cannot write ${path}: ${errorText(cause)}`, {
    cause,
    remedy: 'Choose another directory with --data DIR.',
  });
}
