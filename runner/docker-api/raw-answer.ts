import type { IncomingMessage } from 'node:http';
import { Readable, type Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '#shared/errors.ts';
import type { Answer } from './answer.ts';
import { STATUS_CODES } from './node-http.ts';
import { bodyTooLarge } from './api-request.ts';
import { commonHeaders } from './common-headers.ts';
import { Output } from './output.ts';

/** Longest body of a request that asks for an upgrade (the start of an exec has one). */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * docker-py reads the head of an answer through a buffer, and what follows from the socket itself: bytes that are there
 * when it reads the head are lost to it. dockerd is never fast enough for that; here it gets the head alone for so long.
 */
const HEAD_ALONE_MS = 50;

/** How often a client that has closed its side is looked at, whether it still listens. */
const PROBE_MS = 5000;

/** The body of such a request, which node leaves on the socket; what follows it is put back. */
export async function upgradeBody(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Readable> {
  const length = Number(request.headers['content-length'] ?? 0);
  if (!(length >= 0 && length <= MAX_BODY_BYTES)) throw bodyTooLarge(MAX_BODY_BYTES);
  if (head.byteLength > 0) socket.unshift(head);
  const parts: Buffer[] = [];
  for (let missing = length; missing > 0;) {
    const part = (socket.read(Math.min(missing, socket.readableLength || missing)) ?? socket.read()) as Buffer | null;
    if (part === null) {
      await readable(socket);
      continue;
    }
    const own = part.subarray(0, missing);
    if (own.byteLength < part.byteLength) socket.unshift(part.subarray(missing));
    parts.push(own);
    missing -= own.byteLength;
  }
  return Readable.from(parts);
}

function readable(socket: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onReadable = (): void => settle();
    const onEnd = (): void => settle(new Error('the client has gone'));
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
  });
}

/** Sends an answer on a connection that asked for an upgrade; any but a hijack ends it. */
export async function sendRaw(answer: Answer, request: IncomingMessage, socket: Duplex): Promise<void> {
  switch (answer.kind) {
    case 'hijack':
      return hijack(answer, request, socket);
    case 'websocket': {
      const { serveWebSocket } = await import('./attach-websocket.ts'); // few clients want it, and it is 5 MB
      return serveWebSocket(request, socket, answer.serve);
    }
    case 'json':
      return end(socket, answer.status ?? 200, 'application/json', `${JSON.stringify(answer.body)}\n`);
    case 'text':
      return end(socket, answer.status ?? 200, 'text/plain; charset=utf-8', answer.body);
    case 'empty':
      return end(socket, answer.status, '', '');
    case 'stream': {
      socket.write(headText(200, { 'Content-Type': answer.contentType, ...answer.headers, Connection: 'close' }));
      await answer.write(new Output(socket));
      socket.end();
      return;
    }
    default:
      throw answer satisfies never;
  }
}

async function hijack(
  answer: Extract<Answer, { kind: 'hijack' | 'websocket' }>,
  request: IncomingMessage,
  socket: Duplex,
): Promise<void> {
  const protocol = request.headers.upgrade ?? 'tcp';
  socket.write(headText(101, { 'Content-Type': answer.contentType, Connection: 'Upgrade', Upgrade: protocol }));
  // A client that only closed its side of the connection still listens; one that has gone refuses even no bytes at all.
  const probe = setInterval(() => {
    if (socket.readableEnded && !socket.destroyed) socket.write(Buffer.alloc(0));
  }, PROBE_MS);
  probe.unref();
  try {
    const isDockerPy = (request.headers['user-agent'] ?? '').startsWith('docker-sdk-python/');
    const headTaken = isDockerPy ? delay(HEAD_ALONE_MS, undefined, { ref: false }) : undefined;
    await answer.serve({ output: new Output(socket, headTaken), input: socket });
    socket.end();
    socket.resume(); // so that its end is seen
  } catch (error) {
    socket.destroy(error instanceof Error ? error : new Error(errorText(error)));
  } finally {
    clearInterval(probe);
  }
}

function end(socket: Duplex, status: number, contentType: string, text: string): void {
  const length = `${Buffer.byteLength(text)}`;
  const type = contentType === '' ? {} : { 'Content-Type': contentType };
  socket.end(headText(status, { ...type, 'Content-Length': length, Connection: 'close' }) + text);
  socket.resume();
}

function headText(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ ...commonHeaders, ...headers }).map(([name, value]) => `${name}: ${value}`);
  const reason = status === 101 ? 'UPGRADED' : (STATUS_CODES[status] ?? '');
  return [`HTTP/1.1 ${status} ${reason}`, ...lines, '', ''].join('\r\n');
}
