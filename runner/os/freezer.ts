import { readFileSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BerthError } from '#shared/errors.ts';
import { isErrno } from './files.ts';

/** True when a cgroup's processes are told to stand still; false also when it is not there. */
export function isFrozen(directory: string): boolean {
  try {
    return readFileSync(join(directory, 'cgroup.freeze'), 'utf8').trim() === '1';
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false;
    throw error;
  }
}

/**
 * Lets every process in a cgroup and below stand still, and resolves when all do (kernel, cgroup-v2.rst,
 * `cgroup.freeze`). One that cannot within `timeoutMs` undoes it.
 *
 * @throws BerthError `cgroup.not-frozen`
 */
export async function freezeCgroup(directory: string, timeoutMs = 10_000): Promise<void> {
  await using events = await open(join(directory, 'cgroup.events'));
  await writeFile(join(directory, 'cgroup.freeze'), '1', { flag: 'r+' });
  const deadline = performance.now() + timeoutMs;
  // The kernel tells of it by a priority event, for which Node cannot wait; it comes within a millisecond.
  for (let pauseMs = 1; !(await saysFrozen(events)); pauseMs = Math.min(pauseMs * 2, 50)) {
    if (performance.now() > deadline) {
      await thawCgroup(directory);
      const text = `The processes in the cgroup ${directory} do not stand still`;
      throw new BerthError('unavailable', 'cgroup.not-frozen', text, {
        remedy: `See what they wait for: cat /proc/PID/stack for each PID in ${directory}/cgroup.procs`,
      });
    }
    await delay(pauseMs);
  }
}

async function saysFrozen(events: Awaited<ReturnType<typeof open>>): Promise<boolean> {
  const { buffer, bytesRead } = await events.read(Buffer.alloc(256), 0, 256, 0);
  return /^frozen 1$/m.test(buffer.toString('latin1', 0, bytesRead));
}

/** Lets them go on; nothing when the cgroup is gone. */
export async function thawCgroup(directory: string): Promise<void> {
  try {
    await writeFile(join(directory, 'cgroup.freeze'), '0', { flag: 'r+' });
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error;
  }
}
