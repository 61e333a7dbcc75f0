import { createSocket } from 'node:dgram';
import { randomInt } from 'node:crypto';
import { connect, isIPv6 } from 'node:net';
import { frame, FrameReader } from './frame.ts';
import { codeOf, isAnswerTo, responseCode } from './message.ts';

/** Port of all upstreams; tests use another. */
export const dnsPort = 53;

/** How long an upstream has before the next one is asked as well, in milliseconds. */
const patienceMs = 1500;

/** How long a question is asked in all. Askers wait five seconds (resolv.conf(5)) and then ask again. */
const deadlineMs = 4500;

export interface ForwardOptions {
  readonly servers: readonly string[];
  readonly transport: 'udp' | 'tcp';
  readonly port: number;
  readonly signal: AbortSignal;
}

/**
 * Asks the upstreams, one after the other, and resolves with the first good answer, under the id of the question it was
 * asked by; undefined when there was none in time. A refusal or failure of one is only taken when no other does better.
 *
 * Each question has a socket, a source port and an id of its own, so that an answer cannot be guessed (RFC 5452); the
 * socket is connected, so that the kernel takes answers from nobody else.
 */
export async function forward(query: Buffer, options: ForwardOptions): Promise<Buffer | undefined> {
  const ended = new AbortController();
  const deadline = setTimeout(() => ended.abort(), deadlineMs);
  const signal = AbortSignal.any([options.signal, ended.signal]);
  try {
    return await firstAnswer(query, options, signal);
  } finally {
    clearTimeout(deadline);
    ended.abort(); // those that were overtaken
  }
}

function firstAnswer(
  query: Buffer,
  { servers, transport, port }: ForwardOptions,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const ask = transport === 'udp' ? askByDatagram : askByStream;
  return new Promise((resolve) => {
    let second: Buffer | undefined; // an answer that says that it failed
    let next = 0;
    let waiting = 0;
    let timer: NodeJS.Timeout | undefined;
    let ended = false;
    const end = (answer: Buffer | undefined): void => {
      ended = true;
      clearTimeout(timer);
      resolve(answer);
    };
    const begin = (): void => {
      clearTimeout(timer);
      if (ended) return;
      const server = servers[next];
      if (server === undefined) {
        if (waiting === 0) end(second);
        return;
      }
      next += 1;
      waiting += 1;
      timer = setTimeout(begin, patienceMs);
      void ask(query, server, port, signal).then((answer) => {
        waiting -= 1;
        if (answer !== undefined && isGood(answer)) return end(answer);
        second ??= answer;
        return begin();
      });
    };
    signal.addEventListener('abort', () => end(second), { once: true });
    begin();
  });
}

function isGood(answer: Buffer): boolean {
  const code = codeOf(answer);
  return code === responseCode.ok || code === responseCode.nameError;
}

function withId(query: Buffer, id: number): Buffer {
  const copy = Buffer.from(query);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** Resolves with undefined for an upstream that is not there, and when `signal` aborts. */
function askByDatagram(query: Buffer, server: string, port: number, signal: AbortSignal): Promise<Buffer | undefined> {
  const id = randomInt(0x10000);
  const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    let ended = false;
    const end = (answer?: Buffer): void => {
      if (ended) return;
      ended = true;
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve(answer);
    };
    const onAbort = (): void => end();
    socket.on('error', () => end()); // nobody listens there, or there is no way
    socket.on('message', (answer) => {
      if (isAnswerTo(query, id, answer)) end(answer);
    });
    // Not as the argument of `connect`, which is also called when there is no way to the server.
    socket.once('connect', () => {
      if (ended) return;
      socket.send(withId(query, id), (failed) => {
        if (failed !== null) end();
      });
    });
    socket.connect(port, server);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) end();
  });
}

/** Likewise by TCP (RFC 7766), where answers have no limit of their own. */
function askByStream(query: Buffer, server: string, port: number, signal: AbortSignal): Promise<Buffer | undefined> {
  const id = randomInt(0x10000);
  return new Promise((resolve) => {
    const reader = new FrameReader();
    const socket = connect({ host: server, port, signal });
    socket.once('error', () => resolve(undefined));
    socket.once('close', () => resolve(undefined));
    socket.once('connect', () => socket.write(frame(withId(query, id))));
    socket.on('data', (bytes) => {
      for (const answer of reader.take(bytes)) {
        if (!isAnswerTo(query, id, answer)) continue;
        resolve(answer);
        socket.destroy();
        return;
      }
    });
  });
}
