import type { Digest } from '#shared/digest.ts';
import { sha256 } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import { randomId, randomSecret } from '#shared/id.ts';
import type { RelaySide } from '#shared/relay/ledger.ts';

/** How long both ends have to dial a relay after it was made, in milliseconds. */
export const DIAL_MS = 30_000;

/** The two one-time tokens of a relay, by their SHA-256: what is stored of them. Plain data. */
export interface RelayTickets {
  readonly client: { readonly hash: Digest; readonly used: boolean };
  readonly host: { readonly hash: Digest; readonly used: boolean };
  readonly expiresAtMs: number;
}

/** Where relays live: in this process, or each in an object of its own. */
export interface RelayDirectory {
  /** @throws BerthError `relay.too-many` */
  create(relayId: string, tickets: RelayTickets): Promise<void>;
}

export interface IssuedRelay {
  readonly relayId: string;
  /** On the control plane, for a WebSocket. */
  readonly path: string;
  readonly clientToken: string;
  readonly hostToken: string;
}

/** Makes a relay with fresh tokens; their texts are in the answer only. */
export async function issueRelay(directory: RelayDirectory, nowMs: number): Promise<IssuedRelay> {
  const relayId = randomId();
  const clientToken = randomSecret('brc_');
  const hostToken = randomSecret('brh_');
  await directory.create(relayId, {
    client: { hash: await sha256(clientToken), used: false },
    host: { hash: await sha256(hostToken), used: false },
    expiresAtMs: nowMs + DIAL_MS,
  });
  return { relayId, path: `/v1/relays/${relayId}`, clientToken, hostToken };
}

/**
 * Which end a token's bearer is, and the tickets that are left; the caller stores those before it lets the bearer in.
 *
 * @throws BerthError `relay.bad-token`, `relay.token-used` or `relay.expired`
 */
export function redeemTicket(
  tickets: RelayTickets | undefined,
  tokenHash: Digest,
  nowMs: number,
): { readonly side: RelaySide; readonly rest: RelayTickets } {
  const side = tickets?.client.hash === tokenHash ? 'client' : tickets?.host.hash === tokenHash ? 'host' : undefined;
  if (tickets === undefined || side === undefined) throw refused('relay.bad-token', 'this token opens no such relay');
  if (tickets[side].used) throw refused('relay.token-used', 'this token was used before; it opens one connection');
  if (tickets.expiresAtMs <= nowMs) throw refused('relay.expired', `nobody dialled within ${DIAL_MS / 1000} s`);
  return { side, rest: { ...tickets, [side]: { hash: tokenHash, used: true } } };
}

function refused(code: string, what: string): BerthError {
  return new BerthError('unauthenticated', code, `relay: ${what}`, {
    remedy: 'Ask for a new relay and dial it at once.',
  });
}
