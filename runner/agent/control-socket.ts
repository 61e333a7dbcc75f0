import WebSocket, { type RawData } from 'ws';
import { closeReason } from '#shared/close-reason.ts';
import { BerthError, errorText } from '#shared/errors.ts';
import { MAX_CONTROL_FRAME_BYTES, PING, PONG, toHost, type FromHost, type ToHost } from '#shared/protocol/control.ts';
import { parseFrame } from '#shared/protocol/parse.ts';

/** How long the other end is waited for once this one has ended the connection. */
const CLOSE_MS = 2000;

/** What a connection tells. Of its end it may tell several times. */
export interface ControlSocketEvents {
  readonly onOpen: () => void;
  /** One at a time: the next message waits for it. */
  readonly onMessage: (message: ToHost) => Promise<void>;
  readonly onPong: () => void;
  /** What came is no message, or handling it has failed. */
  readonly onFailure: (error: unknown) => void;
  /** There is no connection, or none any more. */
  readonly onLost: (reason: string) => void;
  /** The control plane sent more than a frame may have. */
  readonly onTooLong: (reason: string) => void;
  readonly onClosed: (code: number, text: string) => void;
}

/**
 * The WebSocket to the control plane, in messages.
 *
 * Invariants: messages are handled one after the other, in order, and the socket is paused meanwhile, so that what waits
 * is bounded by one read of the socket; after `end` none is handled.
 */
export class ControlSocket {
  readonly #socket: WebSocket;
  readonly #events: ControlSocketEvents;
  readonly #inbox: string[] = [];
  #handling = false;
  #ended = false;

  constructor(url: string, handshakeTimeoutMs: number, events: ControlSocketEvents) {
    this.#events = events;
    this.#socket = new WebSocket(url, {
      maxPayload: MAX_CONTROL_FRAME_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: handshakeTimeoutMs,
      followRedirects: false,
    });
    this.#socket.binaryType = 'nodebuffer';
    this.#socket
      .on('open', events.onOpen)
      .on('message', (data, isBinary) => this.#received(data, isBinary))
      .on('unexpected-response', (request, { statusCode }) => {
        request.destroy();
        events.onLost(`the control plane answered the connection with HTTP status ${statusCode}`);
      })
      .on('error', (error) => this.#failed(error))
      .on('close', (code, reason) => events.onClosed(code, reason.toString()));
  }

  /** Resolves when it has left the socket's buffer, or never will: the connection's end is told then. */
  send(message: FromHost): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.send(JSON.stringify(message), () => resolve());
    return promise;
  }

  ping(): void {
    this.#socket.send(PING);
  }

  close(code: number, reason: string): void {
    this.#socket.resume(); // a paused socket would never see the other end's half of the close
    this.#socket.close(code, closeReason(reason));
  }

  /** Without a close, for an other end that does not answer. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** What waits is dropped. The other end may be gone: its half of the close is not waited for long. */
  end(): void {
    this.#ended = true;
    this.#inbox.length = 0;
    setTimeout(() => this.#socket.terminate(), CLOSE_MS).unref(); // must not hold the process
  }

  #failed(error: Error): void {
    const isTooLong = 'code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
    if (!isTooLong) return this.#events.onLost(errorText(error) || 'the connection failed');
    this.#events.onTooLong(`the control plane sent a frame over the limit of ${MAX_CONTROL_FRAME_BYTES} bytes`);
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#ended) return;
    if (isBinary) {
      const error = new BerthError('invalid', 'protocol.malformed', 'control channel: a binary frame');
      return this.#events.onFailure(error);
    }
    const text = (data as Buffer).toString('utf8'); // nodebuffer
    if (text === PONG) return this.#events.onPong();
    this.#inbox.push(text);
    this.#socket.pause();
    void this.#handleInbox();
  }

  async #handleInbox(): Promise<void> {
    if (this.#handling) return;
    this.#handling = true;
    try {
      for (let text = this.#inbox.shift(); text !== undefined; text = this.#inbox.shift()) {
        await this.#events.onMessage(parseFrame(toHost, text));
      }
      this.#socket.resume();
    } catch (error) {
      this.#events.onFailure(error);
    } finally {
      this.#handling = false;
    }
  }
}
