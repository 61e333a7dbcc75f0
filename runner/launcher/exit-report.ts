import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import type { ExitReport } from './launcher.ts';

const exitReport = z.object({ exitCode: z.int().min(0), oomKilled: z.boolean(), finishedAtMs: z.int() });

/**
 * What the shim of a container wrote about its end, undefined when it wrote nothing (it runs still, or was lost).
 *
 * @throws BerthError `shim.exit-corrupt`
 */
export async function readExitReport(stateDirectory: string): Promise<ExitReport | undefined> {
  const path = join(stateDirectory, 'exit.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return exitReport.parse(JSON.parse(text));
  } catch (error) {
    throw new BerthError('internal', 'shim.exit-corrupt', `read ${path}: it is not an exit report`, { cause: error });
  }
}
