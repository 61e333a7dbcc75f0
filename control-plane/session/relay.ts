import { BerthError, errorText } from '#shared/errors.ts';
import { RELAY_CLOSE } from '#shared/relay/close.ts';
import { decodeFrame, encodeFrame } from '#shared/relay/frame.ts';
import { otherSide, RelayLedger, type RelaySide } from '#shared/relay/ledger.ts';
import { encodeReset } from '#shared/relay/reset.ts';
import type { RelayTransport } from '#shared/relay/stream.ts';

/**
 * Joins a client's and a host's connection and passes frames on, unread but for the credit that they carry.
 *
 * Invariants:
 * - A frame is passed on only after the ledger allowed it, so that no more than the initial windows is ever on its way:
 *   that bounds what waits for an end which has not dialled yet, and what a slow end's socket holds.
 * - Frames of one direction keep their order.
 * - When one end is gone, every stream that was open is reset at the other end, which is then closed with the reason.
 */
export class Relay {
  readonly #ledger = new RelayLedger();
  readonly #transports: Partial<Record<RelaySide, RelayTransport>> = {};
  /** What an end that has not dialled yet will receive. */
  readonly #waiting: Record<RelaySide, Uint8Array<ArrayBuffer>[]> = { client: [], host: [] };
  readonly #streams = new Set<number>();
  readonly #ended: () => void;
  #over = false;

  /** @param ended called once, when both ends are to be forgotten */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  /** An end has dialled in. */
  attach(side: RelaySide, transport: RelayTransport): void {
    if (this.#over) {
      transport.close(RELAY_CLOSE.lost, 'the other end is gone');
      return;
    }
    this.#transports[side] = transport;
    for (const bytes of this.#waiting[side].splice(0)) transport.send(bytes);
  }

  /** One binary message of an end. */
  received(side: RelaySide, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#over) return;
    try {
      const frame = decodeFrame(bytes);
      this.#ledger.pass(side, frame);
      if (this.#ledger.isOpen(frame.stream)) this.#streams.add(frame.stream);
      else this.#streams.delete(frame.stream);
    } catch (error) {
      this.#close(RELAY_CLOSE.protocol, error);
      return;
    }
    const transport = this.#transports[otherSide(side)];
    if (transport === undefined) this.#waiting[otherSide(side)].push(bytes);
    else transport.send(bytes);
  }

  /** A message that is not binary. */
  receivedText(): void {
    this.#close(RELAY_CLOSE.protocol, new BerthError('invalid', 'relay.malformed', 'relay: a text frame'));
  }

  /** An end's connection is closed. */
  closed(side: RelaySide, code: number): void {
    if (this.#over) return;
    delete this.#transports[side];
    const isNormal = code === 1000 || code === 1001 || code === 1005;
    const what = isNormal ? `the ${side} closed the relay` : `the connection of the ${side} broke (${code})`;
    const error = new BerthError('unavailable', 'relay.lost', `relay: ${what}`);
    this.#resetStreams(side, error);
    this.#close(isNormal ? RELAY_CLOSE.normal : RELAY_CLOSE.lost, error);
  }

  /** The time to dial in is over: closes the relay unless both ends are here. */
  dialTimeOver(): void {
    const absent = (['client', 'host'] as const).filter((side) => this.#transports[side] === undefined);
    if (absent.length === 0) return;
    const text = `relay: the ${absent.join(' and the ')} did not dial in time`;
    this.#close(RELAY_CLOSE.timeout, new BerthError('unavailable', 'relay.not-dialled', text));
  }

  /** The control plane is stopping. */
  stop(): void {
    this.#close(
      RELAY_CLOSE.lost,
      new BerthError('unavailable', 'relay.stopped', 'relay: the control plane is stopping'),
    );
  }

  /** In the name of the end that is gone, tells the other one that nothing more will come. */
  #resetStreams(gone: RelaySide, error: BerthError): void {
    const transport = this.#transports[otherSide(gone)];
    if (transport === undefined) return;
    for (const stream of this.#streams) {
      if (!this.#ledger.hasReset(gone, stream)) transport.send(encodeFrame('reset', stream, encodeReset(error)));
    }
  }

  #close(code: number, error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    // A close frame's reason has room for 123 bytes; our texts are ASCII.
    for (const transport of Object.values(this.#transports)) transport.close(code, errorText(error).slice(0, 123));
    this.#waiting.client.length = 0;
    this.#waiting.host.length = 0;
    this.#ended();
  }
}
