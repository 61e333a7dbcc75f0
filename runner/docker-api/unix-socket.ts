import { chown, lstat, mkdir, readFile, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { BerthError } from '#shared/errors.ts';

/** Whose members may use the socket, where the machine has it, as with dockerd's. */
const GROUP = 'docker';

/**
 * Listens on a unix socket that its owner and group may use (0660): root, and the group `docker` where there is one. Its
 * directory is made when it is not there. A socket that a dead process left is replaced.
 *
 * @throws BerthError `socket.in-use` when somebody answers there, `socket.not-a-socket` when another file is in the way
 */
export async function listenOnUnixSocket(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const existing = await lstat(path).catch(() => undefined);
  if (existing !== undefined) {
    if (!existing.isSocket()) {
      throw new BerthError('conflict', 'socket.not-a-socket', `listen on ${path}: a file that is no socket is there`, {
        remedy: 'Give another path with --socket.',
      });
    }
    if (await answers(path)) {
      throw new BerthError('conflict', 'socket.in-use', `listen on ${path}: another process listens there`, {
        remedy: 'Stop the other runner, or give another path with --socket.',
      });
    }
    await unlink(path);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The mode is right from the first moment on: bind happens within listen.
    const umask = process.umask(0o117);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
  const group = await groupId(GROUP);
  if (group !== undefined && process.geteuid?.() === 0) await chown(path, 0, group);
}

/** Removes a socket at which nobody answers any more; anything else stays. */
export async function removeDeadSocket(path: string): Promise<void> {
  const existing = await lstat(path).catch(() => undefined);
  if (existing?.isSocket() === true && !(await answers(path))) await unlink(path);
}

/** Of /etc/group; undefined when it has no such group. */
async function groupId(name: string): Promise<number | undefined> {
  const text = await readFile('/etc/group', 'utf8').catch(() => '');
  const entry = text.split('\n').find((line) => line.startsWith(`${name}:`));
  const id = Number(entry?.split(':')[2] || Number.NaN);
  return Number.isInteger(id) ? id : undefined;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}
