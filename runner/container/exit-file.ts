import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ExitReport } from '../launcher/launcher.ts';
import { isErrno } from '../os/files.ts';

const exitReport = z.object({ exitCode: z.int(), oomKilled: z.boolean(), finishedAtMs: z.int() });

/** How the container's last run ended, as its shim wrote it; undefined when it wrote nothing (whole). */
export async function readExitFile(stateDirectory: string): Promise<ExitReport | undefined> {
  try {
    return exitReport.parse(JSON.parse(await readFile(join(stateDirectory, 'exit.json'), 'utf8')));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** Takes the last run's report away before the next begins; its log stays. */
export function removeExitFile(stateDirectory: string): void {
  rmSync(join(stateDirectory, 'exit.json'), { force: true });
}
