import type { BerthError } from '../errors.ts';
import type { StreamHeader } from './header.ts';

/** The message side of a WebSocket, as a relay needs it; the composition adapts `ws`, browsers' and workerd's. */
export interface RelayTransport {
  /** Queue one binary message. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
}

/** One stream of a relay, as both ends see it (`RelayMux.open`, `RelayMux`'s `onOpen`). */
export interface RelayStream {
  readonly id: number;
  readonly header: StreamHeader;
  /** The other end's bytes. Credit is granted back as they are read, so an unread stream stalls its sender. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Resolves when all bytes have been sent within the credit; rejects when the stream was reset or lost. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends this end's direction, after what was written, with an optional JSON trailer. */
  end(trailer?: unknown): Promise<void>;
  /** Gives the stream up in both directions and tells the other end why. */
  reset(error: BerthError): void;
  /**
   * Aborts, with the error as its reason, when either end has reset the stream or the connection was lost, also when the
   * other end had ENDed its direction before: whoever still works for the stream can stop.
   */
  readonly signal: AbortSignal;
  /** The other end's trailer (undefined when it sent none) once it ENDed; rejects on RESET or a lost connection. */
  readonly finished: Promise<unknown>;
}
