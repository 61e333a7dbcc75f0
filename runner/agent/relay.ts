import WebSocket from 'ws';
import { BerthError, errorText } from '#shared/errors.ts';
import { FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES } from '#shared/relay/frame.ts';
import { RelayMux, transportClosed } from '#shared/relay/mux.ts';
import type { Engine } from '../container/engine.ts';
import type { ImageStore } from '../image/store.ts';
import type { Log } from '../log.ts';
import type { RelayOrder } from './channel.ts';
import { RelayServer } from './relay-server.ts';

/** Most relays of one host at a time. */
const MAX_RELAYS = 256;
const HANDSHAKE_TIMEOUT_MS = 15_000;
/** A relay that does not answer a WebSocket ping until the next one is half open. */
const PING_INTERVAL_MS = 20_000;

export interface RelayDiallerOptions {
  /** Of the control plane. */
  readonly url: string;
  readonly engine: Engine;
  readonly images: ImageStore;
  readonly log: Log;
}

/** Dials the relays that the control plane asks for and serves them; they outlive the channel that asked. */
export class RelayDialler implements AsyncDisposable {
  readonly #options: RelayDiallerOptions;
  readonly #sockets = new Map<WebSocket, Promise<void>>();

  constructor(options: RelayDiallerOptions) {
    this.#options = options;
  }

  /** Starts serving a relay; failures are logged, and the other end learns of them by the relay's end. */
  dial(order: RelayOrder): void {
    const { log, url } = this.#options;
    const fields = { relay: order.relayId, type: order.grant.type };
    if (this.#sockets.size >= MAX_RELAYS) return log.warn(`relay refused: ${MAX_RELAYS} are open`, fields);
    // The token is for the control plane alone: a path cannot lead elsewhere when it starts with one slash.
    if (!/^\/(?!\/)/.test(order.path)) return log.warn('relay refused: its path is none', fields);
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${order.path}`, {
      headers: { authorization: `Bearer ${order.token}` },
      maxPayload: FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      followRedirects: false,
    });
    const served = this.#serve(socket, order)
      .catch((error: unknown) => log.warn('relay ended early', { ...fields, reason: errorText(error) }))
      .finally(() => {
        this.#sockets.delete(socket);
        socket.terminate();
      });
    this.#sockets.set(socket, served);
  }

  async #serve(socket: WebSocket, order: RelayOrder): Promise<void> {
    socket.binaryType = 'nodebuffer';
    const { engine, images, log } = this.#options;
    const opened = Promise.withResolvers<void>();
    const transport = {
      // No more than the windows is ever in the socket's buffer: the multiplexer sends within the other end's credit.
      send: (bytes: Uint8Array<ArrayBuffer>) => socket.send(bytes),
      close: (code: number, reason: string) => socket.close(code, reason),
    };
    const mux = new RelayMux(transport, 'host', { onOpen: (stream) => server.accept(stream) });
    const server = new RelayServer({ grant: order.grant, mux, engine, images, log });
    socket
      .on('open', () => opened.resolve())
      .on('message', (data) => mux.receive(new Uint8Array(data as Buffer))) // a copy: the view would pin ws' own buffer
      .on('error', (error) => {
        const lost = new BerthError('unavailable', 'relay.lost', `relay: ${errorText(error)}`, { cause: error });
        opened.reject(lost);
        mux.lost(lost);
      })
      .on('close', (code, reason) => mux.lost(transportClosed(code, reason.toString())));
    await opened.promise;
    let answered = true;
    socket.on('pong', () => {
      answered = true;
    });
    const timer = setInterval(() => {
      if (!answered) return socket.terminate();
      answered = false;
      socket.ping();
    }, PING_INTERVAL_MS);
    try {
      await mux.closed.catch((error: unknown) => {
        if (!(error instanceof BerthError) || error.code !== 'relay.closed') throw error;
      });
    } finally {
      clearInterval(timer);
      await server.settled();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.close(1001, 'the runner stops');
    const all = Promise.allSettled(this.#sockets.values());
    for (const socket of this.#sockets.keys()) setTimeout(() => socket.terminate(), 1000).unref();
    await all;
  }
}
