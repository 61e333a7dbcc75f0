import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../os/files.ts';
import type { ExitReport } from './launcher.ts';

const exitReport = z.object({ exitCode: z.int(), oomKilled: z.boolean(), finishedAtMs: z.int() });

const NAME = 'exit.json';

/**
 * What the shim of a container wrote about its end. Undefined when there is nothing whole: it runs still, it was lost, or
 * the machine lost power before the report was on disk.
 */
export async function readExitReport(stateDirectory: string): Promise<ExitReport | undefined> {
  try {
    return exitReport.parse(JSON.parse(await readFile(join(stateDirectory, NAME), 'utf8')));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** Takes the last run's report away before the next begins; its log stays. */
export function removeExitReport(stateDirectory: string): void {
  rmSync(join(stateDirectory, NAME), { force: true });
}
