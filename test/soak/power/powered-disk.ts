import { execFile } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, '../../..');
const node = resolve(repository, 'node_modules/.bin/node');
const program = resolve(import.meta.dirname, 'host.ts');

const diskBytes = 512 * 2 ** 20;

/**
 * sh that runs `host.ts` with the disk at /srv and the directory of runs at /mnt. Nothing gets to the disk because time
 * goes by, only because somebody asks for it: that a change was given half a minute must not be what saves it.
 *
 * @param options further ones of mount(8)
 */
export function hostScript(device: string, exchange: string, words: readonly string[], options = ''): string {
  return [
    `mount -t ext4 -o commit=3600,noatime${options} ${device} /srv`,
    `mount --bind ${exchange}/runs /mnt`,
    `cd ${repository}`,
    `${node} --disable-warning=ExperimentalWarning ${program} ${exchange} ${words.join(' ')}`,
  ].join(' && ');
}

/** An ext4 file system in a sparse file. */
export async function makeDisk(path: string): Promise<void> {
  await writeFile(path, '');
  await truncate(path, diskBytes);
  await run('mkfs.ext4', ['-q', path]);
}

/** Runs `host.ts` upon a disk beside the virtual machine, in a mount namespace of its own. */
export async function runBeside(disk: string, exchange: string, ...words: readonly string[]): Promise<void> {
  await run('unshare', ['--mount', 'sh', '-c', hostScript(disk, exchange, words, ',loop')]);
}

/**
 * What e2fsck(8) finds when it has carried out the file system's own journal, as a mount does, and closed the files that
 * were unlinked while they were open.
 */
export async function fileSystemDefects(disk: string): Promise<readonly string[]> {
  const look = (...options: string[]): Promise<{ code: number; text: string }> =>
    run('e2fsck', ['-f', ...options, disk]).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      (error: { code: number; stdout: string }) => ({ code: error.code, text: error.stdout }),
    );
  const first = await look('-p');
  if (first.code > 1) return [`file system: ${first.text}`];
  const second = await look('-n');
  return second.code === 0 ? [] : [`file system, after its journal: ${second.text}`];
}
