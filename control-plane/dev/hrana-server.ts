import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorText } from '#shared/errors.ts';
import { sha256 } from '#shared/digest.ts';
import { HranaStreams } from './hrana.ts';
import { hranaPipeline } from './hrana-message.ts';

/** Longest pipeline that is read, in bytes. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

export interface HranaServer extends AsyncDisposable {
  /** What a libSQL client takes as its `url`. */
  readonly url: string;
}

/**
 * FOR DEVELOPMENT AND TESTS ONLY: serves an embedded libSQL file over HTTP on loopback, to whoever has the token.
 *
 * @param options.path the database file
 * @param options.token the bearer token that every request must carry
 * @param options.port 0: any that is free
 */
export async function startHranaServer(options: {
  readonly path: string;
  readonly token: string;
  readonly port: number;
}): Promise<HranaServer> {
  const streams = new HranaStreams(options.path);
  const tokenHash = await sha256(options.token);
  const server = createServer((request, response) => {
    answer(streams, tokenHash, request, response).catch((error: unknown) => {
      reply(response, 400, { message: errorText(error), code: 'HTTP_ERROR' });
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      streams[Symbol.dispose]();
    },
  };
}

async function answer(
  streams: HranaStreams,
  tokenHash: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if ((await sha256(token)) !== tokenHash) {
    reply(response, 401, { message: 'the bearer token is missing or wrong', code: 'AUTH' });
    return;
  }
  const route = `${request.method} ${request.url}`;
  // The clients probe these to learn which versions there are.
  if (route === 'GET /v2' || route === 'GET /v3') reply(response, 200, {});
  else if (route === 'POST /v2/pipeline' || route === 'POST /v3/pipeline') {
    const result = await streams.run(hranaPipeline.parse(JSON.parse(await bodyOf(request))));
    if (result === undefined) reply(response, 400, { message: 'the baton is unknown or expired', code: 'BATON' });
    else reply(response, 200, result);
  } else reply(response, 404, { message: `${route} is not served`, code: 'NOT_FOUND' });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw new Error(`the body is over ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reply(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) return;
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
