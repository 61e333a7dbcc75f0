import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Answer } from './answer.ts';
import { commonHeaders } from './common-headers.ts';
import { errorText } from '#shared/errors.ts';
import { Output } from './output.ts';

/** How long the rest of a body that nobody wants is read and thrown away, so that its sender comes to read the answer. */
const DISCARD_MS = 1000;

/** Sends an answer over HTTP. Never rejects: a client that has gone is none. */
export async function sendAnswer(answer: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => {}); // close follows
  if (answer.kind !== 'stream' && answer.kind !== 'hijack') await discard(request, response);
  switch (answer.kind) {
    case 'json':
      return whole(response, answer.status ?? 200, 'application/json', `${JSON.stringify(answer.body)}\n`);
    case 'text':
      return whole(response, answer.status ?? 200, 'text/plain; charset=utf-8', answer.body, answer.headers);
    case 'empty':
      response.writeHead(answer.status, {
        ...commonHeaders,
        ...answer.headers,
        ...(answer.status === 200 ? { 'Content-Length': 0 } : {}),
      });
      response.end();
      return;
    case 'stream':
      return stream(response, { 'Content-Type': answer.contentType, ...answer.headers }, answer.write);
    case 'hijack':
      // Without an upgrade nothing can be sent to us after the request: there is no input.
      return stream(response, { 'Content-Type': answer.contentType }, (output) =>
        answer.serve({ output, input: Readable.from([]) }),
      );
    case 'websocket':
      return whole(response, 400, 'text/plain; charset=utf-8', 'Bad Request');
    default:
      throw answer satisfies never;
  }
}

function whole(
  response: ServerResponse,
  status: number,
  contentType: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...commonHeaders,
    'Content-Type': contentType,
    ...headers,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text); // node sends no body to HEAD
}

async function stream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  write: (output: Output) => Promise<void>,
): Promise<void> {
  response.writeHead(200, { ...commonHeaders, ...headers });
  response.flushHeaders();
  try {
    await write(new Output(response));
    response.end();
  } catch (error) {
    // The head is out: only a cut tells the client that this is not all.
    response.destroy(error instanceof Error ? error : new Error(errorText(error)));
  }
}

/**
 * What was not read of a body must not be taken for the next request, and a connection that is closed while its client
 * still sends is an error to it, whatever was answered. What takes too long cuts the connection.
 */
async function discard(request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.on('error', () => {});
  request.resume();
  if (request.complete || request.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, DISCARD_MS);
  request.once('end', resolve).once('close', resolve);
  await promise;
  clearTimeout(timer);
  if (!request.complete) response.setHeader('Connection', 'close');
}
