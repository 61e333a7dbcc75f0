import { BerthError } from '../errors.ts';
import {
  CONNECTION_WINDOW_BYTES,
  DATA_OVERHEAD_BYTES,
  dataCost,
  MAX_PAYLOAD_BYTES,
  MAX_RESET_BYTES,
  MAX_STREAMS,
  STREAM_WINDOW_BYTES,
  type Frame,
} from './frame.ts';

export type RelaySide = 'client' | 'host';

/** The windows of one relay. Both ends and the relay between them use the same; only tests choose others. */
export interface RelayLimits {
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Even; each end may open half of them. */
  readonly maxStreams: number;
}

export const RELAY_LIMITS: RelayLimits = {
  streamWindowBytes: STREAM_WINDOW_BYTES,
  connectionWindowBytes: CONNECTION_WINDOW_BYTES,
  maxStreams: MAX_STREAMS,
};

/** The smallest grant that one WINDOW may carry: smaller ones would let an end flood the other with them. */
export function smallestGrant(windowBytes: number): number {
  return Math.floor(windowBytes / 4);
}

/** One direction of a stream: what its sender may still send, and how it finished. */
interface Direction {
  credit: number;
  done: 'no' | 'end' | 'reset';
}
type StreamState = Record<RelaySide, Direction>;

interface EndState {
  /** What this end may still send, over all streams. */
  credit: number;
  /** Highest stream number that it has opened, 0 before the first. */
  highest: number;
  /** Streams that it opened and that are not over. */
  open: number;
  /** Grants and resets that it may have sent on streams before it could know that they were over. */
  lateGrants: number;
  lateResets: number;
}

/**
 * The rules of one relay as a state machine over the frames that pass one point of it, in the order in which they pass.
 * It holds at either end and anywhere between, as long as each direction keeps its order: an honest end never breaks it.
 *
 * What it bounds: credit never rises over the initial window, so at most `connectionWindowBytes` of DATA are on their
 * way or unread in each direction; a stream's number is counted as open until both ends have finished it, so OPEN, END
 * and RESET are bounded by `maxStreams`; WINDOWs have a least size. A relay that only forwards thus queues at most that,
 * as long as one of the two ends is honest.
 */
export class RelayLedger {
  readonly #limits: RelayLimits;
  readonly #ends: Record<RelaySide, EndState>;
  readonly #streams = new Map<number, StreamState>();

  constructor(limits: RelayLimits = RELAY_LIMITS) {
    this.#limits = limits;
    const end = () => ({
      credit: limits.connectionWindowBytes,
      highest: 0,
      open: 0,
      lateGrants: 0,
      lateResets: 0,
    });
    this.#ends = { client: end(), host: end() };
  }

  /**
   * Takes note of a frame that `from` sent.
   *
   * @throws BerthError `relay.malformed`, `relay.stream-unknown`, `relay.stream-ended`, `relay.stream-limit`,
   * `relay.credit-exceeded` or `relay.grant-exceeded`: the relay must be closed, the frame not passed on
   */
  pass(from: RelaySide, frame: Frame): void {
    switch (frame.kind) {
      case 'open':
        return this.#open(from, frame.stream);
      case 'data':
        return this.#data(from, frame);
      case 'window':
        return this.#window(from, frame);
      case 'end':
        return this.#end(from, frame.stream);
      case 'reset':
        return this.#reset(from, frame);
      default:
        frame.kind satisfies never;
    }
  }

  /**
   * The longest payload that `from` may send in one DATA frame on a stream now (0: on any stream, by the connection's
   * credit alone); 0 when it must wait for credit.
   */
  spendable(from: RelaySide, stream: number): number {
    const direction = stream === 0 ? this.#ends[from] : this.#streams.get(stream)?.[from];
    if (direction === undefined) return 0;
    const credit = Math.min(direction.credit, this.#ends[from].credit);
    return Math.min(Math.max(credit - DATA_OVERHEAD_BYTES, 0), MAX_PAYLOAD_BYTES);
  }

  /** The number of the next stream that `side` opens, undefined while it has too many open. */
  nextStream(side: RelaySide): number | undefined {
    const end = this.#ends[side];
    if (end.open >= this.#limits.maxStreams / 2) return undefined;
    return end.highest === 0 ? (side === 'client' ? 1 : 2) : end.highest + 2;
  }

  /** True until an end has sent END or RESET on an open stream. */
  maySend(from: RelaySide, stream: number): boolean {
    return this.#streams.get(stream)?.[from].done === 'no';
  }

  /** True from an end's RESET of a stream until the other end has finished it too. */
  hasReset(from: RelaySide, stream: number): boolean {
    return this.#streams.get(stream)?.[from].done === 'reset';
  }

  /** True until both ends have finished a stream. */
  isOpen(stream: number): boolean {
    return this.#streams.has(stream);
  }

  #open(from: RelaySide, stream: number): void {
    const end = this.#ends[from];
    if (stream === 0 || openerOf(stream) !== from || stream <= end.highest) {
      throw violation('relay.malformed', `the ${from} may not open stream ${stream} after ${end.highest}`);
    }
    if (end.open >= this.#limits.maxStreams / 2) {
      throw violation('relay.stream-limit', `the ${from} has ${end.open} streams open and opens stream ${stream}`);
    }
    end.highest = stream;
    end.open += 1;
    const direction = (): Direction => ({ credit: this.#limits.streamWindowBytes, done: 'no' });
    this.#streams.set(stream, { client: direction(), host: direction() });
  }

  #data(from: RelaySide, { stream, payload }: Frame): void {
    const direction = this.#unfinished(from, stream, 'DATA');
    const end = this.#ends[from];
    if (payload.byteLength === 0) throw violation('relay.malformed', `empty DATA on stream ${stream}`);
    const cost = dataCost(payload.byteLength);
    if (cost > direction.credit) {
      throw violation(
        'relay.credit-exceeded',
        `the ${from} sent DATA that costs ${cost} on stream ${stream} with a credit of ${direction.credit}`,
      );
    }
    if (cost > end.credit) {
      throw violation(
        'relay.credit-exceeded',
        `the ${from} sent DATA that costs ${cost} with a connection credit of ${end.credit}`,
      );
    }
    direction.credit -= cost;
    end.credit -= cost;
  }

  #window(from: RelaySide, { stream, payload }: Frame): void {
    if (payload.byteLength !== 4) {
      throw violation('relay.malformed', `a WINDOW of ${payload.byteLength} bytes on stream ${stream}`);
    }
    const grant = grantOf(payload);
    const to = otherSide(from);
    const window = stream === 0 ? this.#limits.connectionWindowBytes : this.#limits.streamWindowBytes;
    if (grant < smallestGrant(window)) {
      throw violation('relay.malformed', `a WINDOW of only ${grant} on stream ${stream}`);
    }
    const excess = () =>
      violation('relay.grant-exceeded', `the ${from} granted ${grant} on stream ${stream}, more than it received`);
    const state = stream === 0 ? undefined : this.#streams.get(stream);
    if (stream !== 0 && state === undefined) {
      this.#checkKnown(stream, 'WINDOW');
      const end = this.#ends[from];
      if (grant > end.lateGrants) throw excess();
      end.lateGrants -= grant;
      return;
    }
    if (state?.[from].done === 'reset') throw violation('relay.stream-ended', `WINDOW after RESET on stream ${stream}`);
    const account = state?.[to] ?? this.#ends[to];
    if (account.credit + grant > window) throw excess();
    account.credit += grant;
  }

  #end(from: RelaySide, stream: number): void {
    this.#unfinished(from, stream, 'END').done = 'end';
    this.#closeIfOver(stream);
  }

  #reset(from: RelaySide, { stream, payload }: Frame): void {
    if (payload.byteLength > MAX_RESET_BYTES) {
      throw violation('relay.malformed', `a RESET of ${payload.byteLength} bytes on stream ${stream}`);
    }
    const direction = this.#streams.get(stream)?.[from];
    if (direction === undefined) {
      this.#checkKnown(stream, 'RESET');
      const end = this.#ends[from];
      if (end.lateResets === 0) throw violation('relay.stream-ended', `RESET on the finished stream ${stream}`);
      end.lateResets -= 1;
      return;
    }
    if (direction.done === 'reset') throw violation('relay.stream-ended', `a second RESET on stream ${stream}`);
    direction.done = 'reset';
    this.#closeIfOver(stream);
  }

  #unfinished(from: RelaySide, stream: number, what: string): Direction {
    const direction = this.#streams.get(stream)?.[from];
    if (direction === undefined) this.#checkKnown(stream, what);
    if (direction === undefined || direction.done !== 'no') {
      throw violation('relay.stream-ended', `the ${from} sent ${what} on stream ${stream} after it had finished it`);
    }
    return direction;
  }

  #checkKnown(stream: number, what: string): void {
    if (stream !== 0 && stream <= this.#ends[openerOf(stream)].highest) return;
    throw violation('relay.stream-unknown', `${what} on stream ${stream}, which was never opened`);
  }

  /**
   * What an end sent on a stream before it saw the other's last frame still arrives after the stream is over. It had at
   * most `maxStreams` such streams open, which caps what is remembered; nothing is kept by stream.
   */
  #closeIfOver(stream: number): void {
    const state = this.#streams.get(stream);
    if (state === undefined || state.client.done === 'no' || state.host.done === 'no') return;
    this.#streams.delete(stream);
    this.#ends[openerOf(stream)].open -= 1;
    const { maxStreams, streamWindowBytes } = this.#limits;
    for (const side of ['client', 'host'] as const) {
      if (state[side].done === 'reset') continue;
      const end = this.#ends[side];
      const unreturned = streamWindowBytes - state[otherSide(side)].credit;
      end.lateGrants = Math.min(end.lateGrants + unreturned, maxStreams * streamWindowBytes);
      end.lateResets = Math.min(end.lateResets + 1, maxStreams);
    }
  }
}

/** The credit that a WINDOW's payload grants. */
function grantOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0);
}

export function otherSide(side: RelaySide): RelaySide {
  return side === 'client' ? 'host' : 'client';
}

function openerOf(stream: number): RelaySide {
  return stream % 2 === 1 ? 'client' : 'host';
}

function violation(code: string, what: string): BerthError {
  return new BerthError('invalid', code, `relay: ${what}`, {
    remedy: 'One end breaks the relay protocol; use a client, a control plane and a runner of one release.',
  });
}
