import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { BerthError } from '#shared/errors.ts';
import type { VolumeMount } from './driver-options.ts';
import { isBeneath, parseMountTable, type MountEntry } from './mount-table.ts';

const run = promisify(execFile);

/** MS_* of the words that mount(2) has flags for; Docker's text of a failure tells them. */
const flagBits: Readonly<Record<string, number>> = {
  ro: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  sync: 0x10,
  remount: 0x20,
  dirsync: 0x80,
  noatime: 0x400,
  nodiratime: 0x800,
  bind: 0x1000,
  rbind: 0x5000,
};

/** What is mounted in this process's mount namespace. */
export async function mountTable(): Promise<readonly MountEntry[]> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
}

/**
 * Mounts it, by mount(8) without its helpers, which is mount(2).
 *
 * @throws BerthError `volume.mount-failed` with Docker's text
 */
export async function mountVolume(wanted: VolumeMount, target: string): Promise<void> {
  const { type, device, options } = wanted;
  const words = options === '' ? [] : options.split(',');
  const argv = ['-i', ...(type === '' ? [] : ['-t', type]), ...(options === '' ? [] : ['-o', options])];
  try {
    await run('mount', [...argv, '--', device, target]);
  } catch (cause) {
    const flags = words.reduce((sum, word) => sum | (flagBits[word] ?? 0), 0);
    const data = words.filter((word) => flagBits[word] === undefined).join(',');
    throw new BerthError(
      'internal',
      'volume.mount-failed',
      `error while mounting volume '${target}': failed to mount local volume: mount ${device}:${target}` +
        `${flags === 0 ? '' : `, flags: 0x${flags.toString(16)}`}${data === '' ? '' : `, data: ${data}`}: ${why(cause)}`,
      { cause },
    );
  }
}

/** Takes away every mount on the directory and below it, lazily, as Docker does; none is no error. */
export async function unmountAll(directory: string): Promise<void> {
  const inside = (await mountTable()).filter(({ mountPoint }) => isBeneath(mountPoint, directory));
  for (const { mountPoint } of inside.toReversed()) await run('umount', ['-i', '-l', '--', mountPoint]);
  const left = (await mountTable()).find(({ mountPoint }) => isBeneath(mountPoint, directory));
  if (left === undefined) return;
  throw new BerthError('conflict', 'volume.mounted', `unmount volume: ${left.mountPoint} is still mounted`, {
    remedy: 'See what has it mounted, unmount it, and try again.',
  });
}

/** The reason in what mount(8) says: it tells the errno's text, or that the device is not there. */
function why(cause: unknown): string {
  const text = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
  if (/special device .* does not exist/.test(text)) return 'no such file or directory';
  const [line = ''] = text.split('\n');
  return line.replace(/^mount: [^:]*: /, '').replace(/\.$/, '');
}
