import { closeSync, constants, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** Name of a shim's socket in its state directory. */
const SOCKET_NAME = 'shim.sock';

/** ECONNRESET: it stopped listening with our connection still in its queue. */
const nobodyListens = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

function openDirectory(path: string): { readonly fd: number } & Disposable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/**
 * A connection to the shim in a state directory, undefined when none listens there. The socket is named through an open
 * descriptor of the directory, since a socket's path has at most 107 bytes.
 */
export async function connectShim(stateDirectory: string): Promise<Socket | undefined> {
  let connected: Socket;
  try {
    using directory = openDirectory(stateDirectory);
    const socket = connect({ path: `/proc/self/fd/${directory.fd}/${SOCKET_NAME}` });
    // The shim can end at any time, also before our caller listens for it: an unheard error would end the runner.
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    connected = socket;
  } catch (error) {
    if (nobodyListens.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  return connected.destroyed ? connectShim(stateDirectory) : connected; // lost at once: does anybody listen now?
}
