import { sha256 } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import type { RelaySide } from '#shared/relay/ledger.ts';
import type { Clock } from '../ports.ts';
import { redeemTicket, type RelayDirectory, type RelayTickets } from './relay-tickets.ts';
import { Relay } from './relay.ts';

/** Most relays at once in one process: each may hold its windows, about 2 MiB. */
const MAX_RELAYS = 512;

/** The relays of a control plane that is one process. */
export class InProcessRelays implements RelayDirectory {
  readonly #clock: Clock;
  readonly #relays = new Map<string, { relay: Relay; tickets: RelayTickets }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async create(relayId: string, tickets: RelayTickets): Promise<void> {
    if (this.#relays.size >= MAX_RELAYS) {
      throw new BerthError('unavailable', 'relay.too-many', `relay: ${MAX_RELAYS} relays are open`, {
        remedy: 'Try again when some have ended.',
      });
    }
    const timer = setTimeout(() => relay.dialTimeOver(), tickets.expiresAtMs - this.#clock());
    const relay = new Relay(() => {
      clearTimeout(timer);
      this.#relays.delete(relayId);
    });
    this.#relays.set(relayId, { relay, tickets });
  }

  /**
   * Lets the bearer of a token in, once.
   *
   * @throws BerthError as `redeemTicket` does
   */
  async redeem(relayId: string, token: string): Promise<{ readonly relay: Relay; readonly side: RelaySide }> {
    const hash = await sha256(token);
    const entry = this.#relays.get(relayId);
    const { side, rest } = redeemTicket(entry?.tickets, hash, this.#clock());
    if (entry === undefined) throw new BerthError('internal', 'relay.lost', 'relay: redeemed a ticket of no relay');
    entry.tickets = rest;
    return { relay: entry.relay, side };
  }

  /** Closes them all. */
  stop(): void {
    for (const { relay } of this.#relays.values()) relay.stop();
  }
}
