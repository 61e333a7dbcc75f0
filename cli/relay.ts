import { WebSocket } from 'ws';
import { BerthError } from '#shared/errors.ts';
import type { createRelayRequest } from '#shared/api/relays.ts';
import { FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES } from '#shared/relay/frame.ts';
import type { StreamHeader } from '#shared/relay/header.ts';
import { RelayMux, transportClosed } from '#shared/relay/mux.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { z } from 'zod';
import type { Client } from './client.ts';
import { apiUrl } from './http.ts';
import { unreachable } from './unreachable.ts';

const DIAL_TIMEOUT_MS = 30_000;

/** A relay to one host, through the control plane. Disposing of it closes the connection. */
export interface Relay extends AsyncDisposable {
  /** Opens a stream. */
  open(header: StreamHeader): RelayStream;
}

/**
 * Asks for a relay and dials it. `onStream` is called for each stream that the host opens (a `stderr`).
 *
 * @throws BerthError as the control plane refused it (`host.not-connected`, `task.unknown`), or `control-plane.*`
 */
export async function dialRelay(
  client: Client,
  request: z.infer<typeof createRelayRequest>,
  onStream: (stream: RelayStream) => void,
  signal: AbortSignal,
): Promise<Relay> {
  const { path, token } = await client.createRelay(request);
  signal.throwIfAborted();
  const url = apiUrl(client.address.url, path);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: DIAL_TIMEOUT_MS,
    maxPayload: FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES,
    perMessageDeflate: false,
  });
  const mux = new RelayMux(
    {
      send: (bytes) => socket.send(bytes, () => {}), // a failure also closes the socket, which is told below
      close: (code, reason) => socket.close(code, reason),
    },
    'client',
    { onOpen: onStream },
  );
  // Listening before the socket is open, for frames may arrive together with the handshake.
  socket.binaryType = 'arraybuffer';
  socket.on('message', (data) => {
    if (data instanceof ArrayBuffer) mux.receive(new Uint8Array(data));
  });
  socket.on('close', (code, reason) => mux.lost(transportClosed(code, reason.toString())));
  const onAbort = (): void => mux.close(new BerthError('unavailable', 'relay.interrupted', 'interrupted'));
  signal.addEventListener('abort', onAbort, { once: true });
  await opened(socket, client.address.url);
  return {
    open: (header) => mux.open(header),
    [Symbol.asyncDispose]: () => {
      signal.removeEventListener('abort', onAbort);
      mux.close();
      return closed(socket);
    },
  };
}

async function opened(socket: WebSocket, url: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('open', resolve);
  socket.on('error', reject);
  try {
    await promise;
  } catch (error) {
    throw unreachable(url, error);
  }
}

const CLOSE_TIMEOUT_MS = 2000;

/** Resolves when the socket is closed; the other end gets a moment to answer. */
async function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('close', () => resolve());
  const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
  await promise;
  clearTimeout(timer);
}

/**
 * Copies of a relay's streams that run while its first stream decides how all ends. None of them fails unheard: `done`
 * tells, unless the caller has already failed for the same reason.
 */
export class Copies {
  readonly #running: Promise<void>[] = [];

  add(copy: Promise<void>): void {
    copy.catch(() => {}); // heard by `done`
    this.#running.push(copy);
  }

  /** Resolves when all have ended; rejects with the first that failed. */
  async done(): Promise<void> {
    await Promise.all(this.#running);
  }
}
