import { z } from 'zod';
import { closeReason } from '../close-reason.ts';
import { BerthError, errorText } from '../errors.ts';
import { RELAY_CLOSE } from './close.ts';
import {
  decodeFrame,
  dataCost,
  encodeFrame,
  FRAME_HEADER_BYTES,
  MAX_PAYLOAD_BYTES,
  type Frame,
  type FrameKind,
} from './frame.ts';
import { streamHeader, type StreamHeader } from './header.ts';
import { otherSide, RELAY_LIMITS, RelayLedger, smallestGrant, type RelayLimits, type RelaySide } from './ledger.ts';
import { MuxStream } from './mux-stream.ts';
import { decodeReset, encodeReset } from './reset.ts';
import type { RelayStream, RelayTransport } from './stream.ts';

/** The WebSocket close code of a library that refuses a message for its length (RFC 6455 section 7.4.1), without a text. */
const MESSAGE_TOO_BIG = 1009;

export interface RelayMuxOptions {
  /** The other end opened a stream. Without it, and when it throws, the stream is reset. */
  readonly onOpen?: (stream: RelayStream) => void;
  readonly limits?: RelayLimits;
}

/**
 * One end of a relay: many streams over one message transport.
 *
 * Flow: a stream's DATA spends credit of the stream and of the connection, and both are granted back as its reader takes
 * the bytes (a quarter of a window at a time). A stalled reader thus stalls its own stream at the stream's window, and
 * the other streams only once the unread bytes of all stalled streams together fill the connection's window: four
 * stalled streams by default. That is the price of a fixed bound for everything unread at this end. Streams with
 * something to send take turns, one frame each.
 *
 * Invariants: every frame, sent or received, passes `RelayLedger` first; a frame from the other end that breaks its
 * rules closes the transport and loses every stream; nothing is queued here but callers' own buffers whose `write` has
 * not resolved, and received bytes within the window.
 */
export class RelayMux {
  /** Resolves when the relay was closed with no stream lost; rejects with why otherwise. */
  readonly closed: Promise<void>;
  readonly #transport: RelayTransport;
  readonly #side: RelaySide;
  readonly #onOpen: ((stream: RelayStream) => void) | undefined;
  readonly #limits: RelayLimits;
  readonly #ledger: RelayLedger;
  readonly #streams = new Map<number, MuxStream>();
  /** Streams that have something to send and are not known to lack credit, in turn. */
  readonly #turns = new Set<MuxStream>();
  /** Consumed and not granted back yet: of the connection, and by stream. */
  #ungranted = 0;
  readonly #ungrantedOf = new Map<number, number>();
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;

  constructor(transport: RelayTransport, side: RelaySide, options: RelayMuxOptions = {}) {
    this.#transport = transport;
    this.#side = side;
    this.#onOpen = options.onOpen;
    this.#limits = options.limits ?? RELAY_LIMITS;
    this.#ledger = new RelayLedger(this.#limits);
    this.closed = this.#over.promise;
    this.closed.catch(() => {}); // whoever cares awaits it; nobody has to
  }

  /**
   * Opens a stream.
   *
   * @throws BerthError `relay.too-many-streams`, `relay.header-too-large` or `relay.closed`
   */
  open(header: StreamHeader): RelayStream {
    if (this.#isOver) throw closedError();
    const payload = new TextEncoder().encode(JSON.stringify(header));
    if (payload.byteLength > MAX_PAYLOAD_BYTES) {
      const what = `relay: the header of a ${header.type} stream is ${payload.byteLength} bytes, over the limit of ${MAX_PAYLOAD_BYTES}`;
      throw new BerthError('too-large', 'relay.header-too-large', what);
    }
    const id = this.#ledger.nextStream(this.#side);
    if (id === undefined) {
      throw new BerthError(
        'unavailable',
        'relay.too-many-streams',
        `relay: opening a ${header.type} stream: this end has ${this.#limits.maxStreams / 2} streams open, the most it may`,
        { remedy: 'Open another relay, or finish a stream first.' },
      );
    }
    const stream = this.#add(id, header);
    this.#send('open', id, payload);
    return stream;
  }

  /** One message from the other end. Anything against the protocol closes the relay; it does not throw. */
  receive(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isOver) return;
    try {
      const frame = decodeFrame(bytes);
      this.#ledger.pass(otherSide(this.#side), frame);
      this.#take(frame);
    } catch (cause) {
      const error =
        cause instanceof BerthError
          ? cause
          : new BerthError('internal', 'relay.internal', `relay: handling a frame failed: ${errorText(cause)}`, {
              cause,
            });
      this.#finish(error);
      this.#transport.close(RELAY_CLOSE.protocol, closeReason(error.message));
    }
  }

  /** The transport is gone. Streams that were not finished are lost with this error. */
  lost(error: BerthError): void {
    this.#finish(error);
  }

  /** Closes the transport. Streams that were not finished are lost. */
  close(error: BerthError = closedError()): void {
    if (this.#isOver) return;
    this.#finish(error);
    this.#transport.close(RELAY_CLOSE.normal, closeReason(error.message));
  }

  #add(id: number, header: StreamHeader): MuxStream {
    const stream = new MuxStream(id, header, {
      ready: (ready) => {
        this.#turns.add(ready);
        this.#pump();
      },
      consumed: (of, cost) => this.#consumed(of.id, cost),
      resetStream: (of, error) => this.#resetStream(of, error),
    });
    this.#streams.set(id, stream);
    return stream;
  }

  #send(kind: FrameKind, stream: number, payload: Uint8Array): void {
    const bytes = encodeFrame(kind, stream, payload);
    this.#ledger.pass(this.#side, decodeFrame(bytes));
    this.#transport.send(bytes);
  }

  /**
   * Sends what credit allows, one frame of each stream in turn: a stream that has sent goes to the end of the line, one
   * that waits for the connection's credit keeps its place, one that waits for its own leaves until its WINDOW comes.
   */
  #pump(): void {
    for (const stream of this.#turns) {
      if (this.#isOver) return;
      const outgoing = stream.takeOutgoing(this.#ledger.spendable(this.#side, stream.id));
      if (outgoing === undefined) {
        if (!stream.hasOutgoing || this.#ledger.spendable(this.#side, 0) > 0) this.#turns.delete(stream);
        continue;
      }
      this.#turns.delete(stream);
      if (stream.hasOutgoing) this.#turns.add(stream);
      this.#send(outgoing.kind, stream.id, outgoing.bytes);
      if (outgoing.kind === 'end') this.#forgetIfOver(stream.id);
      outgoing.done();
    }
  }

  #consumed(id: number, cost: number): void {
    if (this.#isOver) return;
    this.#ungranted += cost;
    if (this.#ungranted >= smallestGrant(this.#limits.connectionWindowBytes)) {
      this.#grant(0, this.#ungranted);
      this.#ungranted = 0;
    }
    // No more will come on a direction that the other end has finished, nor be read on a stream that we gave up.
    if (!this.#ledger.maySend(otherSide(this.#side), id) || this.#ledger.hasReset(this.#side, id)) return;
    const ungranted = (this.#ungrantedOf.get(id) ?? 0) + cost;
    if (ungranted >= smallestGrant(this.#limits.streamWindowBytes)) this.#grant(id, ungranted);
    this.#ungrantedOf.set(id, ungranted >= smallestGrant(this.#limits.streamWindowBytes) ? 0 : ungranted);
  }

  #grant(stream: number, credit: number): void {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, credit);
    this.#send('window', stream, payload);
  }

  #take(frame: Frame): void {
    switch (frame.kind) {
      case 'open':
        return this.#opened(frame);
      case 'data':
        // A copy would double the memory; the transport hands over one buffer a message.
        if (this.#streams.get(frame.stream)?.deliver(frame.payload) === true) return;
        return this.#consumed(frame.stream, dataCost(frame.payload.byteLength));
      case 'window':
        return this.#granted(frame.stream);
      case 'end':
        this.#streams.get(frame.stream)?.deliverEnd(parseTrailer(frame));
        return this.#forgetIfOver(frame.stream);
      case 'reset':
        return this.#wasReset(frame);
      default:
        frame.kind satisfies never;
    }
  }

  #opened(frame: Frame): void {
    const parsed = streamHeader.safeParse(parseJson(frame));
    if (!parsed.success) {
      throw malformed(frame, `a header that is none of this protocol: ${z.prettifyError(parsed.error)}`);
    }
    const stream = this.#add(frame.stream, parsed.data);
    if (this.#onOpen === undefined) {
      const what = `relay: this end takes no streams; the other end opened one of type ${parsed.data.type}`;
      return stream.reset(new BerthError('unsupported', 'relay.stream-refused', what));
    }
    try {
      this.#onOpen(stream);
    } catch (cause) {
      const what = `relay: serving a ${parsed.data.type} stream failed: ${errorText(cause)}`;
      stream.reset(cause instanceof BerthError ? cause : new BerthError('internal', 'relay.internal', what, { cause }));
    }
  }

  #granted(stream: number): void {
    const waiting = stream === 0 ? this.#streams.values() : [this.#streams.get(stream)];
    for (const one of waiting) if (one?.hasOutgoing === true) this.#turns.add(one);
    this.#pump();
  }

  #wasReset(frame: Frame): void {
    const stream = this.#streams.get(frame.stream);
    if (stream === undefined) return; // over before the RESET arrived
    const error = decodeReset(parseJson(frame));
    if (error === undefined) throw malformed(frame, 'a RESET without kind, code and message');
    this.#turns.delete(stream);
    stream.failOutgoing(error);
    stream.failIncoming(error);
    if (this.#ledger.maySend(this.#side, stream.id)) this.#send('reset', stream.id, frame.payload);
    this.#forgetIfOver(stream.id);
  }

  #resetStream(stream: MuxStream, error: BerthError): void {
    this.#turns.delete(stream);
    const tell = !this.#isOver && this.#ledger.isOpen(stream.id) && !this.#ledger.hasReset(this.#side, stream.id);
    if (tell) this.#send('reset', stream.id, encodeReset(error));
    stream.failOutgoing(error);
    stream.failIncoming(error);
    this.#forgetIfOver(stream.id);
  }

  #forgetIfOver(id: number): void {
    if (this.#ledger.isOpen(id)) return;
    this.#streams.delete(id);
    this.#ungrantedOf.delete(id);
  }

  #finish(error: BerthError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const orderly = this.#streams.size === 0 && error.code === 'relay.closed';
    for (const stream of this.#streams.values()) {
      stream.failOutgoing(error);
      stream.failIncoming(error);
    }
    this.#streams.clear();
    this.#turns.clear();
    if (orderly) this.#over.resolve();
    else this.#over.reject(error);
  }
}

/** What the composition passes to `RelayMux.lost` when the other end closed the transport (`code`, `reason` as given). */
export function transportClosed(code: number, reason: string): BerthError {
  if (code === RELAY_CLOSE.normal) return closedError();
  const limit = FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES;
  const told = reason === '' && code === MESSAGE_TOO_BIG ? `a frame is over the limit of ${limit} bytes` : reason;
  const detail = told === '' ? `code ${code}` : `code ${code}, ${told}`;
  return new BerthError('unavailable', 'relay.lost', `relay: the connection was lost (${detail})`);
}

function closedError(): BerthError {
  return new BerthError('unavailable', 'relay.closed', 'relay: the connection was closed');
}

function malformed(frame: Frame, what: string): BerthError {
  return new BerthError('invalid', 'relay.malformed', `relay: stream ${frame.stream} has ${what}`);
}

function parseJson(frame: Frame): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(frame.payload));
  } catch {
    throw malformed(frame, `a payload of ${frame.kind.toUpperCase()} that is not JSON`);
  }
}

function parseTrailer(frame: Frame): unknown {
  return frame.payload.byteLength === 0 ? undefined : parseJson(frame);
}
