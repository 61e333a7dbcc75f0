import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { frame, FrameReader } from './frame.ts';
import type { QuestionDesk } from './question-desk.ts';
import { Slots } from './slots.ts';

/** Connections at once, in all and from each address. */
const connections = { total: 256, each: 16 };

/** A connection on which nothing was said for so long is closed, in milliseconds (RFC 7766 section 6.2.3). */
const idleMs = 10_000;

/** So that a burst of questions of many containers waits instead of being lost. */
const receiveBufferBytes = 1024 * 1024;

/** Where a network's questions are taken: a datagram socket and a listening one at its gateway. */
export interface GatewayAddress {
  readonly networkId: string;
  readonly address: string;
}

/**
 * The two sockets of one gateway. They have ports of their own, which the kernel chose: port 53 of the host stays free,
 * for a program of the host that listens on every address, and for a container that publishes it.
 */
export class GatewaySockets implements AsyncDisposable {
  readonly gateway: GatewayAddress;
  readonly #desk: QuestionDesk;
  readonly #datagrams: DatagramSocket;
  readonly #server: Server;
  readonly #ended = new AbortController();
  readonly #open = new Set<Socket>();
  readonly #slots = new Slots(connections);

  private constructor(gateway: GatewayAddress, desk: QuestionDesk) {
    this.gateway = gateway;
    this.#desk = desk;
    this.#datagrams = createSocket('udp4');
    this.#server = createServer({ noDelay: true }, (socket) => void this.#serve(socket));
  }

  /** @throws the system's error, with `code`, when the address cannot be bound (it is not there yet) */
  static async listen(gateway: GatewayAddress, desk: QuestionDesk, onFailure: () => void): Promise<GatewaySockets> {
    await using stack = new AsyncDisposableStack();
    const sockets = stack.use(new GatewaySockets(gateway, desk));
    const datagrams = sockets.#datagrams;
    datagrams.on('message', (bytes, peer) => sockets.#take(bytes, peer));
    datagrams.bind({ address: gateway.address, port: 0, exclusive: true });
    await once(datagrams, 'listening');
    sockets.#server.listen({ host: gateway.address, port: 0, exclusive: true });
    await once(sockets.#server, 'listening');
    datagrams.on('error', onFailure);
    sockets.#server.on('error', onFailure);
    try {
      datagrams.setRecvBufferSize(receiveBufferBytes);
    } catch {
      // The system's own size will do.
    }
    stack.move();
    return sockets;
  }

  get ports(): { readonly udp: number; readonly tcp: number } {
    const address = this.#server.address();
    const tcp = typeof address === 'object' && address !== null ? address.port : 0;
    return { udp: this.#datagrams.address().port, tcp };
  }

  #take(bytes: Buffer, peer: { readonly address: string; readonly port: number }): void {
    const reply = (answer: Buffer | undefined): void => {
      if (answer === undefined || this.#ended.signal.aborted) return;
      // An asker that has gone, or a full queue: it asks again.
      this.#datagrams.send(answer, peer.port, peer.address, () => {});
    };
    const { networkId } = this.gateway;
    const { signal } = this.#ended;
    const answer = this.#desk.answer({ networkId, source: peer.address, transport: 'udp', bytes, signal });
    if (answer instanceof Promise) void answer.then(reply);
    else reply(answer);
  }

  /** Questions of one connection are answered one after the other, so that what it costs is bounded. */
  async #serve(socket: Socket): Promise<void> {
    const source = socket.remoteAddress ?? '';
    using slot = this.#desk.knows(this.gateway.networkId, source) ? this.#slots.take(source) : undefined;
    socket.on('error', () => {}); // `close` follows, which ends the loop
    if (slot === undefined) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.setTimeout(idleMs, () => socket.destroy());
    const reader = new FrameReader();
    try {
      for await (const piece of socket as AsyncIterable<Buffer>) {
        for (const bytes of reader.take(piece)) await this.#answerOn(socket, source, bytes);
      }
    } catch {
      // It was cut off.
    } finally {
      this.#open.delete(socket);
      socket.destroy();
    }
  }

  async #answerOn(socket: Socket, source: string, bytes: Buffer): Promise<void> {
    const { signal } = this.#ended;
    const { networkId } = this.gateway;
    const answer = await this.#desk.answer({ networkId, source, transport: 'tcp', bytes, signal });
    if (answer === undefined) socket.destroy();
    if (answer === undefined || socket.destroyed) return;
    // Who does not read its answers is not sent more; its idle time ends it.
    if (!socket.write(frame(answer))) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    for (const socket of this.#open) socket.destroy();
    await Promise.all([closed(this.#datagrams), closed(this.#server)]);
  }
}

/** Also of one that was never open. */
function closed(socket: { close(callback: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve());
    } catch {
      resolve();
    }
  });
}
