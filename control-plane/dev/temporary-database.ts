import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../ports.ts';
import { openEmbedded } from '../store/embedded.ts';
import { migrate } from '../store/migrate.ts';

/** A migrated database in a directory of its own that goes when it is disposed of; for tests and benchmarks. */
export async function temporaryDatabase(): Promise<Database & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-database-'));
  const database = await openEmbedded(join(directory, 'cluster.db'));
  await migrate(database);
  return {
    read: database.read,
    write: (use) => database.write(use),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
