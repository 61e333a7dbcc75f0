import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** Name of a shim's socket in its state directory. */
const SOCKET_NAME = 'shim.sock';

/**
 * A connection to the shim in a state directory, undefined when none listens there. The socket is named through an open
 * descriptor of the directory, since a socket's path has at most 107 bytes.
 */
export async function connectShim(stateDirectory: string): Promise<Socket | undefined> {
  try {
    await using directory = await open(stateDirectory, constants.O_RDONLY | constants.O_DIRECTORY);
    const socket = connect({ path: `/proc/self/fd/${directory.fd}/${SOCKET_NAME}` });
    socket.on('error', () => {}); // one that comes before its owner listens must not end the process
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The last: a shim that has told everybody closes what it has not accepted yet. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);
