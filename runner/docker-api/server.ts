import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { BerthError } from '#shared/errors.ts';
import { BERTH_VERSION } from '#shared/version.ts';
import { API_VERSION, unversionedPath } from './api-version.ts';
import { errorAnswer } from './error-answer.ts';
import { routes, type Answer, type DockerApiContext, type Route } from './routes.ts';
import { listenOnUnixSocket } from './unix-socket.ts';

export interface DockerApiOptions {
  readonly socketPath: string;
  readonly context: DockerApiContext;
}

/** How much of a body that is too large is read and thrown away. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

/** On every answer, as dockerd sends them; clients negotiate by the first. */
const COMMON_HEADERS: Readonly<Record<string, string>> = {
  'Api-Version': API_VERSION,
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Berth/${BERTH_VERSION} (linux)`,
};

/**
 * Serves the Docker Engine API on a unix socket until disposed. Who may open the socket is root on this host, as with
 * dockerd's.
 *
 * @throws BerthError `socket.in-use`, `socket.not-a-socket`
 */
export async function serveDockerApi(options: DockerApiOptions): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    void respond(options.context, request, response);
  });
  await listenOnUnixSocket(server, options.socketPath);
  server.on('error', () => {}); // a connection that could not be accepted, for want of descriptors: its client is told
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(context: DockerApiContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const route = routeOf(request);
    await readBody(request, route.maxBodyBytes);
    send(response, route.answer(context));
  } catch (error) {
    const { status, body } = errorAnswer(error);
    // What was not read of a body must not be taken for the next request.
    if (!request.complete) response.setHeader('Connection', 'close');
    send(response, { status, body });
  }
}

/** @throws BerthError `docker.page-not-found` as dockerd, also for another method, and the version's errors */
function routeOf(request: IncomingMessage): Route {
  const [path = '/'] = (request.url ?? '/').split('?', 1);
  const route = routes.get(`${request.method ?? ''} ${unversionedPath(path)}`);
  if (route === undefined) throw new BerthError('not-found', 'docker.page-not-found', 'page not found');
  return route;
}

/**
 * The request's body. Of one that is too large the rest is thrown away, so that its sender comes to read the answer; up
 * to a bound, over which the connection is cut.
 *
 * @throws BerthError `docker.body-too-large`
 */
function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      if (size > maxBytes + MAX_DISCARDED_BYTES) request.destroy();
    });
    request.once('end', () => {
      if (size <= maxBytes) resolve(Buffer.concat(chunks));
      else reject(bodyTooLarge(maxBytes));
    });
    request.once('error', reject);
  });
}

function bodyTooLarge(maxBytes: number): BerthError {
  const text = `the request's body is over the limit of ${maxBytes} bytes`;
  return new BerthError('too-large', 'docker.body-too-large', text);
}

function send(response: ServerResponse, answer: Answer): void {
  const isText = typeof answer.body === 'string';
  const text = typeof answer.body === 'string' ? answer.body : `${JSON.stringify(answer.body)}\n`;
  response.writeHead(answer.status, {
    ...COMMON_HEADERS,
    'Content-Type': isText ? 'text/plain; charset=utf-8' : 'application/json',
    ...answer.headers,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text); // node sends no body to HEAD
}
