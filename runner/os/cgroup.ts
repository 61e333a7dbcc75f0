import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BerthError } from '#shared/errors.ts';
import { isErrno } from './files.ts';

/** The subtree of the cgroup v2 hierarchy that belongs to one runner. */
export interface CgroupTree {
  /** Where the hierarchy is mounted (`/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on a hybrid host). */
  readonly mountPoint: string;
  /** The subtree's path from there, with a leading slash (`/berth-1a2b3c4d`). */
  readonly path: string;
  /** Controllers that are in force for the cgroups in it; limits of others cannot be enforced. */
  readonly controllers: readonly string[];
  /** The files that a cgroup has on this host: not every kernel has swap accounting, or the same I/O weights. */
  readonly files: readonly string[];
}

/** What containers can be limited by (kernel, cgroup-v2.rst, "Controllers"). */
const wantedControllers = ['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb'];

/** The mount point of the cgroup v2 hierarchy in a /proc/PID/mountinfo text (proc(5)), undefined when there is none. */
export function cgroup2MountPoint(mountinfo: string): string | undefined {
  const points = mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    if (!after.startsWith('cgroup2 ')) return [];
    const field = before.split(' ')[4] ?? '';
    return [field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))];
  });
  return points.toSorted((a, b) => a.length - b.length)[0];
}

/**
 * Makes the runner's subtree, or finds it again, and turns on every controller that the host lets it have.
 *
 * @throws BerthError `cgroup.unavailable` when no cgroup v2 hierarchy is mounted or writable
 */
export async function prepareCgroupTree(instance: string): Promise<CgroupTree> {
  const mountPoint = cgroup2MountPoint(await readFile('/proc/self/mountinfo', 'utf8'));
  if (mountPoint === undefined) {
    throw new BerthError('unavailable', 'cgroup.unavailable', 'No cgroup v2 hierarchy is mounted on this host', {
      remedy: 'Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    });
  }
  const path = `/berth-${instance}`;
  const directory = mountPoint + path;
  try {
    await mkdir(directory, { recursive: true });
  } catch (cause) {
    throw new BerthError('unavailable', 'cgroup.unavailable', `Cannot make the cgroup ${directory}`, {
      cause,
      remedy: 'Run the runner as root, with a writable cgroup v2 hierarchy.',
    });
  }
  for (const controller of wantedControllers) {
    if (await enable(mountPoint, controller)) await enable(directory, controller);
  }
  const controllers = await words(join(directory, 'cgroup.subtree_control'));
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  return { mountPoint, path, controllers, files: files.toSorted() };
}

/** One at a time: a list with one impossible controller would be refused whole. */
async function enable(directory: string, controller: string): Promise<boolean> {
  const file = join(directory, 'cgroup.subtree_control');
  if ((await words(file)).includes(controller)) return true;
  if (!(await words(join(directory, 'cgroup.controllers'))).includes(controller)) return false;
  try {
    await writeFile(file, `+${controller}`);
    return true;
  } catch {
    return false; // not delegated to us, or in use by a v1 hierarchy: told by its absence from `controllers`
  }
}

async function words(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).split(/\s+/).filter((word) => word !== '');
}

/** Names of the cgroups directly in a cgroup; none when it is not there. */
export async function childCgroups(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

/**
 * Kills every process in a cgroup and below, waits for their end and removes it; idempotent.
 *
 * @throws BerthError `cgroup.busy` when processes are still there after `timeoutMs` (uninterruptible sleep)
 */
export async function removeCgroup(directory: string, timeoutMs = 10_000): Promise<void> {
  if (!existsSync(directory)) return; // as almost always: the shim has removed it
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    await writeIfThere(join(directory, 'cgroup.kill'), '1');
    if (await removeEmpty(directory)) return;
    if (performance.now() > deadline) {
      throw new BerthError('unavailable', 'cgroup.busy', `Processes in the cgroup ${directory} do not end`, {
        remedy: `See what they wait for: cat /proc/PID/stack for each PID in ${directory}/cgroup.procs`,
      });
    }
    // A killed process leaves its cgroup when it is reaped; the kernel gives no event for the rmdir itself.
    await delay(pauseMs);
  }
}

async function removeEmpty(directory: string): Promise<boolean> {
  for (const child of await childCgroups(directory)) {
    if (!(await removeEmpty(join(directory, child)))) return false;
  }
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EBUSY')) return false;
    throw error;
  }
}

async function writeIfThere(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'r+' });
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) throw error;
  }
}

const containerName = /^[0-9a-f]{64}$/;

/** The cgroups below a directory that have a container's id as their name, wherever they are; none is looked into. */
export async function containerCgroups(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await childCgroups(directory)) {
    const path = join(directory, name);
    if (containerName.test(name)) found.set(name, path);
    else for (const [id, inner] of await containerCgroups(path)) found.set(id, inner);
  }
  return found;
}

/** Removes the cgroups from a directory up to `top` (which stays), as far as they are empty. */
export async function removeEmptyParents(directory: string, top: string): Promise<void> {
  for (let path = directory; path.startsWith(`${top}/`); path = dirname(path)) {
    try {
      await rmdir(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) continue;
      if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return;
      throw error;
    }
  }
}
