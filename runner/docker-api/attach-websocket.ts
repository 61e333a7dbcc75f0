import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { IncomingMessage } from 'node:http';
import type { HijackedConnection } from './answer.ts';
import { Output } from './output.ts';

/** Longest message of a client; what somebody types or pipes comes in pieces far below. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

const server = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: MAX_MESSAGE_BYTES });

/** Completes the handshake and serves the connection, whose bytes go in binary frames; closes it when that is over. */
export async function serveWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  serve: (connection: HijackedConnection) => Promise<void>,
): Promise<void> {
  const webSocket = await new Promise<Parameters<Parameters<typeof server.handleUpgrade>[3]>[0]>((resolve, reject) => {
    socket.once('close', () => reject(new Error('the client has gone')));
    server.handleUpgrade(request, socket, Buffer.alloc(0), resolve);
  });
  // The stream is closed by us alone: a client that closes the connection ends all of it.
  const stream = createWebSocketStream(webSocket);
  webSocket.once('close', () => stream.destroy());
  stream.on('error', () => {}); // close follows
  try {
    await serve({ output: new Output(stream), input: stream });
    stream.end();
    stream.resume();
  } catch {
    webSocket.close(1011);
  }
}
