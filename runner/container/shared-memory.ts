import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { BerthError, errorText } from '#shared/errors.ts';

const run = promisify(execFile);

/*
 * The /dev/shm of a container that lets others into its IPC namespace is mounted on the host, from where each of them
 * binds it. It is there from a start to the end of that run; what a crash leaves is taken away with the run's cgroup.
 */

/**
 * Mounts it anew, empty.
 *
 * @param path `ContainerPaths.shm`
 * @throws BerthError `container.shared-memory`
 */
export async function mountSharedMemory(path: string, bytes: number): Promise<void> {
  await releaseSharedMemory(path);
  mkdirSync(path, { mode: 0o700 });
  const options = `nosuid,nodev,noexec,mode=1777,size=${bytes}`;
  try {
    await run('mount', ['-i', '-t', 'tmpfs', '-o', options, '--', 'shm', path]);
  } catch (cause) {
    const text = `mount the shared memory at ${path}: ${errorText(cause)}`;
    throw new BerthError('internal', 'container.shared-memory', text, { cause });
  }
}

/** Takes it away, whoever still has it open or bound; idempotent. */
export async function releaseSharedMemory(path: string): Promise<void> {
  if (!existsSync(path)) return;
  if (statSync(path).dev !== statSync(dirname(path)).dev) await run('umount', ['-i', '-l', '--', path]);
  rmdirSync(path);
}
