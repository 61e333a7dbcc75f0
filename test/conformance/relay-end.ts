import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { RelaySide } from '#shared/relay/ledger.ts';
import { RelayMux, transportClosed, type RelayMuxOptions } from '#shared/relay/mux.ts';

/** One end of a relay, dialled. */
export interface RelayEnd {
  readonly mux: RelayMux;
  readonly socket: WebSocket;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Dials a relay as one of its ends. */
export async function dialRelay(
  url: string,
  grant: { readonly path: string; readonly token: string },
  side: RelaySide,
  options: RelayMuxOptions = {},
): Promise<RelayEnd> {
  const socket = new WebSocket(url.replace(/^http/, 'ws') + grant.path, {
    headers: { authorization: `Bearer ${grant.token}` },
    perMessageDeflate: false,
  });
  const mux = new RelayMux(
    { send: (bytes) => socket.send(bytes), close: (code, reason) => socket.close(code, reason) },
    side,
    options,
  );
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      mux.lost(transportClosed(code, reason.toString()));
      resolve({ code, reason: reason.toString() });
    });
  });
  socket.on('message', (data: Buffer) => mux.receive(new Uint8Array(data)));
  await once(socket, 'open');
  socket.on('error', () => undefined); // 'close' follows
  return { mux, socket, closed };
}

/** The answer to an upgrade that is refused. */
export async function refusedDial(
  url: string,
  grant: { readonly path: string; readonly token: string | undefined },
): Promise<{ readonly status: number; readonly code: string }> {
  const socket = new WebSocket(url.replace(/^http/, 'ws') + grant.path, {
    headers: grant.token === undefined ? {} : { authorization: `Bearer ${grant.token}` },
  });
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    socket.on('open', () => reject(new Error('the upgrade was not refused')));
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { code } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { code: string };
        resolve({ status: response.statusCode ?? 0, code });
      });
    });
  });
}
