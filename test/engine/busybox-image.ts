import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);
const applets = [
  'sh',
  'sleep',
  'cat',
  'echo',
  'true',
  'false',
  'ps',
  'id',
  'env',
  'pwd',
  'nc',
  'httpd',
  'wget',
  'touch',
  'test',
  'printf',
  'rm',
];

/** Writes a rootfs archive with a static busybox and a user `app` (1000:1000) at `path`. */
export async function writeBusyboxArchive(path: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'berth-rootfs-'));
  try {
    for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'srv']) await mkdir(join(root, name));
    await copyFile('/bin/busybox', join(root, 'bin', 'busybox'));
    for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
    await writeFile(join(root, 'etc', 'passwd'), 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n');
    await writeFile(join(root, 'etc', 'group'), 'root:x:0:\napp:x:1000:\n');
    await run('tar', ['--numeric-owner', '--owner=0', '--group=0', '-cf', path, '-C', root, '.']);
  } finally {
    await rm(root, { recursive: true });
  }
}
