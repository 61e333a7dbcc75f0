import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Requests on a container whose answers go on for long, or for ever. */
export function longRequests(id: string): Readonly<Record<string, string>> {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp';
  const webSocket =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  return {
    attach: `POST /containers/${id}/attach?stream=1&stdout=1&stderr=1&stdin=1 HTTP/1.1\r\nHost: d\r\n${upgrade}`,
    'attach by websocket': `GET /containers/${id}/attach/ws?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${webSocket}`,
    logs: `GET /containers/${id}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d`,
    stats: `GET /containers/${id}/stats?stream=1 HTTP/1.1\r\nHost: d`,
    export: `GET /containers/${id}/export HTTP/1.1\r\nHost: d`,
    archive: `GET /containers/${id}/archive?path=/ HTTP/1.1\r\nHost: d`,
    events: 'GET /events HTTP/1.1\r\nHost: d',
    wait: `POST /containers/${id}/wait HTTP/1.1\r\nHost: d\r\nContent-Length: 0`,
    save: 'GET /images/busybox/get HTTP/1.1\r\nHost: d',
  };
}

/** Goes away when it has sent its request, or (`afterFirstBytes`) in the middle of the answer. */
export async function beginAndVanish(socketPath: string, request: string, afterFirstBytes: boolean): Promise<void> {
  const socket = connect(socketPath);
  const sent = new Promise<void>((resolve) => socket.write(`${request}\r\n\r\n`, () => resolve()));
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined); // close follows
  await Promise.race([sent, over]);
  if (afterFirstBytes) await Promise.race([once(socket, 'data'), over]);
  socket.destroy();
}

/** A client that reads the beginning of its answer, and then no more until somebody resumes the socket. */
export async function stalledClient(socketPath: string, request: string): Promise<Socket> {
  const socket = connect(socketPath);
  socket.on('error', () => undefined);
  socket.write(`${request}\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}
