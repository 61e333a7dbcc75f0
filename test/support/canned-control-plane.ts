import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import { BerthError } from '#shared/errors.ts';
import { toProblem } from '#shared/problem.ts';
import { RelayMux, transportClosed } from '#shared/relay/mux.ts';
import type { RelayStream } from '#shared/relay/stream.ts';

export interface CannedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string;
  readonly body: unknown;
}

/** Answers one route, `METHOD /path`; a BerthError that it throws becomes a problem document, as in the real one. */
export type CannedRoute = (request: CannedRequest) => unknown;

export interface CannedControlPlane extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly CannedRequest[];
}

/** What the host end of every relay does with the streams that the client opens; `mux` lets it open its own. */
export type CannedHost = (stream: RelayStream, mux: RelayMux, relayPath: string) => void;

/**
 * The outside of a control plane, with answers that a test chooses: a real HTTP server and real WebSockets, so that the
 * CLI's own reading, printing and failing are tested, also for answers that a real one seldom gives.
 */
export async function startCannedControlPlane(
  routes: Readonly<Record<string, CannedRoute>>,
  host?: CannedHost,
): Promise<CannedControlPlane> {
  const requests: CannedRequest[] = [];
  const server = createServer((request, response) => {
    void answer(request, routes, requests).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.binaryType = 'arraybuffer';
      const mux: RelayMux = new RelayMux(
        { send: (bytes) => webSocket.send(bytes), close: (code, reason) => webSocket.close(code, reason) },
        'host',
        { onOpen: (stream) => host?.(stream, mux, request.url ?? '') },
      );
      webSocket.on('message', (data) => {
        if (data instanceof ArrayBuffer) mux.receive(new Uint8Array(data));
      });
      webSocket.on('close', (code, reason) => mux.lost(transportClosed(code, reason.toString())));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(
  request: IncomingMessage,
  routes: Readonly<Record<string, CannedRoute>>,
  requests: CannedRequest[],
): Promise<{ readonly status: number; readonly body: unknown }> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await text(request);
  const seen: CannedRequest = {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    token: (request.headers.authorization ?? '').replace('Bearer ', ''),
    body: body === '' ? undefined : JSON.parse(body),
  };
  requests.push(seen);
  try {
    const route = routes[`${seen.method} ${seen.path}`];
    if (route === undefined) throw new BerthError('not-found', 'route.unknown', `no route ${seen.method} ${seen.path}`);
    return { status: 200, body: await route(seen) };
  } catch (error) {
    const problem = toProblem(error);
    return { status: problem.status, body: problem };
  }
}
