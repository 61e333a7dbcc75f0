import { BerthError } from '../errors.ts';
import { dataCost, MAX_PAYLOAD_BYTES } from './frame.ts';
import type { StreamHeader } from './header.ts';
import type { RelayStream } from './stream.ts';

/** What a stream asks of the connection that carries it. */
export interface StreamCarrier {
  /** The stream has something to send. */
  ready(stream: MuxStream): void;
  /** Its reader took or dropped a chunk that cost so much credit. */
  consumed(stream: MuxStream, cost: number): void;
  /** Give the stream up. */
  resetStream(stream: MuxStream, error: BerthError): void;
}

/** A piece of what is to be sent, in order: bytes, or the last frame of this direction. */
interface Job {
  readonly kind: 'data' | 'end';
  bytes: Uint8Array;
  readonly done: () => void;
  readonly failed: (error: BerthError) => void;
}

/** What `RelayMux` sends next on a stream: at most `limit` bytes of data, or its END. */
export type Outgoing = { readonly kind: 'data' | 'end'; readonly bytes: Uint8Array; readonly done: () => void };

/**
 * One stream at one end. It keeps what was received and not read yet (bounded by the credit that the sender had) and
 * the callers' own buffers that are not sent yet; it makes no frames and knows no credit, which is `RelayMux`'s.
 */
export class MuxStream implements RelayStream {
  readonly id: number;
  readonly header: StreamHeader;
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly finished: Promise<unknown>;
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #carrier: StreamCarrier;
  readonly #trailer = Promise.withResolvers<unknown>();
  readonly #received: Uint8Array<ArrayBuffer>[] = [];
  readonly #jobs: Job[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  /** Set while the reader waits for a chunk. */
  #wake: (() => void) | undefined;
  #incoming: 'open' | 'ended' | 'closed' = 'open';
  /** Why nothing more can be sent; undefined while it can. */
  #unsendable: BerthError | undefined;

  constructor(id: number, header: StreamHeader, carrier: StreamCarrier) {
    this.id = id;
    this.header = header;
    this.#carrier = carrier;
    this.signal = this.#abort.signal;
    this.finished = this.#trailer.promise;
    this.finished.catch(() => {}); // whoever cares awaits it; nobody has to
    this.readable = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#cancel(),
      },
      { highWaterMark: 0 }, // a chunk counts as consumed only when somebody has asked for it
    );
  }

  write(bytes: Uint8Array): Promise<void> {
    return bytes.byteLength === 0 && this.#unsendable === undefined ? Promise.resolve() : this.#send('data', bytes);
  }

  end(trailer?: unknown): Promise<void> {
    const payload = new TextEncoder().encode(trailer === undefined ? '' : JSON.stringify(trailer));
    if (payload.byteLength > MAX_PAYLOAD_BYTES) {
      const what = `relay: the trailer of stream ${this.id} is ${payload.byteLength} bytes, over the limit of ${MAX_PAYLOAD_BYTES}`;
      return Promise.reject(new BerthError('too-large', 'relay.trailer-too-large', what));
    }
    const sent = this.#send('end', payload);
    this.#unsendable ??= new BerthError('conflict', 'relay.stream-ended', `relay: stream ${this.id} was ended before`);
    return sent;
  }

  reset(error: BerthError): void {
    this.#carrier.resetStream(this, error);
  }

  #send(kind: Job['kind'], bytes: Uint8Array): Promise<void> {
    if (this.#unsendable !== undefined) return Promise.reject(this.#unsendable);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#jobs.push({ kind, bytes, done: resolve, failed: reject });
    this.#carrier.ready(this);
    return promise;
  }

  // ---- for RelayMux

  /** What to send next when `limit` payload bytes may be sent; undefined when there is nothing or it must wait. */
  takeOutgoing(limit: number): Outgoing | undefined {
    const job = this.#jobs[0];
    if (job === undefined) return undefined;
    if (job.kind === 'data' && job.bytes.byteLength > limit) {
      if (limit === 0) return undefined;
      const bytes = job.bytes.subarray(0, limit);
      job.bytes = job.bytes.subarray(limit);
      return { kind: 'data', bytes, done: () => {} };
    }
    this.#jobs.shift();
    return job;
  }

  get hasOutgoing(): boolean {
    return this.#jobs.length > 0;
  }

  /** Received data. Returns false when nobody will read it. */
  deliver(chunk: Uint8Array<ArrayBuffer>): boolean {
    if (this.#incoming !== 'open') return false;
    this.#received.push(chunk);
    this.#wake?.();
    return true;
  }

  /** The other end's END. */
  deliverEnd(trailer: unknown): void {
    if (this.#incoming !== 'open') return;
    this.#incoming = 'ended';
    this.#trailer.resolve(trailer);
    this.#wake?.();
  }

  /** The stream was given up, or lost: nothing more can be sent, pending writes fail. */
  failOutgoing(error: BerthError): void {
    this.#unsendable = error;
    this.#abort.abort(error);
    for (const job of this.#jobs.splice(0)) job.failed(error);
  }

  /** Nothing more will come. What came whole, with its END, stays readable. */
  failIncoming(error: BerthError): void {
    if (this.#incoming !== 'open') return;
    this.#incoming = 'closed';
    this.#drop();
    this.#trailer.reject(error);
    this.#controller?.error(error);
    this.#wake?.();
  }

  async #pull(): Promise<void> {
    while (this.#received.length === 0 && this.#incoming === 'open') {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
    const chunk = this.#received.shift();
    if (chunk !== undefined) {
      this.#controller?.enqueue(chunk);
      this.#carrier.consumed(this, dataCost(chunk.byteLength));
    } else if (this.#incoming === 'ended') {
      this.#incoming = 'closed';
      this.#controller?.close();
    }
  }

  #cancel(): void {
    const whole = this.#incoming === 'ended';
    const wasOpen = this.#incoming === 'open';
    this.#incoming = 'closed';
    this.#drop();
    this.#wake?.();
    if (whole || !wasOpen) return;
    const error = new BerthError('unavailable', 'relay.cancelled', `relay: the reader of stream ${this.id} went away`);
    this.#trailer.reject(error);
    this.#carrier.resetStream(this, error);
  }

  #drop(): void {
    for (const chunk of this.#received.splice(0)) this.#carrier.consumed(this, dataCost(chunk.byteLength));
  }
}
