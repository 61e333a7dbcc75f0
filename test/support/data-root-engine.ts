import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openRunnerDatabase } from '../../runner/database.ts';
import { openEngine, type EngineParts } from '../../runner/engine-parts.ts';
import { createLog } from '../../runner/log.ts';
import type { DriverName } from '../../runner/storage/driver-name.ts';

/** The container engine of a data root, in this network namespace, without anything above it. */
export interface DataRootEngine extends EngineParts {
  readonly database: DatabaseSync;
}

/** Opens it, with its log on standard error. Disposing it leaves its containers running. */
export async function openDataRootEngine(dataRoot: string, storageDriver?: DriverName): Promise<DataRootEngine> {
  await using stack = new AsyncDisposableStack();
  await mkdir(dataRoot, { recursive: true, mode: 0o700 });
  const database = stack.adopt(openRunnerDatabase(join(dataRoot, 'runner.db')), (one) => one.close());
  const log = createLog('text', (line) => process.stderr.write(line));
  const parts = stack.use(await openEngine({ dataRoot, database, clock: Date.now, log, storageDriver }));
  const opened = stack.move();
  return { ...parts, database, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
