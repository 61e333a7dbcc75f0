import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { BerthError } from '#shared/errors.ts';
import type { Answer } from './answer.ts';
import type { ApiRequest } from './api-request.ts';
import { splitVersion } from './api-version.ts';
import type { DockerApiContext, DockerApiHost } from './context.ts';
import { errorAnswer } from './error-answer.ts';
import { EventLog } from './event-log.ts';
import { ExecRegistry } from './exec-registry.ts';
import { createServer } from './node-http.ts';
import { sendAnswer } from './send-answer.ts';
import { sendRaw, upgradeBody } from './raw-answer.ts';
import { findRoute } from './routes.ts';
import { StatsReaders } from './stats-readers.ts';
import { listenOnUnixSocket } from './unix-socket.ts';

export interface DockerApiOptions {
  readonly socketPath: string;
  readonly host: DockerApiHost;
}

/**
 * Serves the Docker Engine API on a unix socket until disposed. Who may open the socket is root on this host, as with
 * dockerd's.
 *
 * @throws BerthError `socket.in-use`, `socket.not-a-socket`
 */
export async function serveDockerApi({ socketPath, host }: DockerApiOptions): Promise<AsyncDisposable> {
  const events = new EventLog(host.engine, host.clock);
  const volumeEvents = host.volumes.onChange((action, { name }) =>
    events.tell({ type: 'volume', action, id: name, attributes: { driver: 'local' } }),
  );
  const execs = new ExecRegistry(host.engine);
  const stats = new StatsReaders(host.engine, host.cgroupDirectory, host.clock);
  const context: DockerApiContext = { ...host, events, execs, stats };
  const connections = new Set<Duplex>();
  const server = createServer((request, response) => {
    void respond(context, request, response);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    void respondRaw(context, request, socket, head);
  });
  await listenOnUnixSocket(server, socketPath);
  server.on('error', () => {}); // a connection that could not be accepted, for want of descriptors: its client is told
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of connections) socket.destroy(); // upgraded ones are not the server's any more
      await closed;
      volumeEvents[Symbol.dispose]();
      events[Symbol.dispose]();
      execs[Symbol.dispose]();
      stats[Symbol.dispose]();
    },
  };
}

async function respond(context: DockerApiContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('the client has gone')));
  const answer = await answerOf(context, request, { body: request, signal: gone.signal });
  await sendAnswer(answer, request, response);
}

/** A request that asks for an upgrade: from here on the socket is ours. */
async function respondRaw(
  context: DockerApiContext,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const gone = new AbortController();
  socket.on('error', () => {}); // close follows
  socket.once('close', () => gone.abort(new Error('the client has gone')));
  try {
    const body = await upgradeBody(request, socket, head);
    await sendRaw(await answerOf(context, request, { body, signal: gone.signal }), request, socket);
  } catch {
    socket.destroy();
  }
}

async function answerOf(
  context: DockerApiContext,
  request: IncomingMessage,
  rest: Pick<ApiRequest, 'body' | 'signal'>,
): Promise<Answer> {
  try {
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    const { version, path } = splitVersion(at < 0 ? url : url.slice(0, at));
    const route = findRoute(`${request.method ?? ''} ${path}`);
    if (route === undefined) throw new BerthError('not-found', 'docker.page-not-found', 'page not found');
    const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
    return await route.value(context, { ...rest, parameters: route.parameters, query, version });
  } catch (error) {
    const { status, body } = errorAnswer(error);
    return { kind: 'json', status, body };
  }
}
