import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../os/files.ts';
import { pathsOf, type EngineContext } from './engine-context.ts';

/*
 * A mark beside a container says that whoever paused it, as a commit does, goes with this runner: the next one lets the
 * container go on. It is made before the container is frozen, and means nothing for one that is not.
 */

function markOf(context: EngineContext, id: string): string {
  return join(pathsOf(context, id).directory, 'momentary-pause');
}

export function isMomentary(context: EngineContext, id: string): boolean {
  return existsSync(markOf(context, id));
}

export async function markPause(context: EngineContext, id: string, momentary: boolean): Promise<void> {
  if (momentary) await writeFileAtomic(markOf(context, id), '');
  else await rm(markOf(context, id), { force: true });
}
