import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';

/**
 * The right to use a data directory, held by one process at a time. It is SQLite's own lock on a file beside the
 * database, which the kernel releases however the process ends.
 */
export class DataLock implements Disposable {
  readonly #file: DatabaseSync;

  private constructor(file: DatabaseSync) {
    this.#file = file;
  }

  /** @throws BerthError `data.in-use` */
  static take(dataDirectory: string): DataLock {
    const file = new DatabaseSync(join(dataDirectory, 'lock'));
    try {
      file.exec('BEGIN EXCLUSIVE');
    } catch (cause) {
      file.close();
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
