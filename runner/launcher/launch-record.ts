import { renameSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const launchRecord = z.object({ cgroupRoot: z.string(), cgroupPath: z.string(), links: z.array(z.string()) });

/**
 * What a launch is about to make on the host, written to the state directory before it does: if runner, spawner and shim
 * all die, it says what to remove. None of it survives a reboot, so the file is not synced.
 */
export type LaunchRecord = z.infer<typeof launchRecord>;

const NAME = 'launch.json';

/** Synchronous: two calls of microseconds each, on the way of every start. */
export function writeLaunchRecord(stateDirectory: string, record: LaunchRecord): void {
  const temporary = join(stateDirectory, `${NAME}.new`);
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  renameSync(temporary, join(stateDirectory, NAME));
}

/** Undefined when there is none, or none that can be read. */
export async function readLaunchRecord(stateDirectory: string): Promise<LaunchRecord | undefined> {
  try {
    return launchRecord.parse(JSON.parse(await readFile(join(stateDirectory, NAME), 'utf8')));
  } catch {
    return undefined; // it is renamed into place whole: unreadable means that nothing was begun
  }
}

export async function removeLaunchRecord(stateDirectory: string): Promise<void> {
  await rm(join(stateDirectory, NAME), { force: true });
}
