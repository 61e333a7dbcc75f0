import { expect, test } from 'vitest';
import { sha256 } from '#shared/digest.ts';
import { DIAL_MS, issueRelay, redeemTicket, type RelayTickets } from './relay-tickets.ts';

async function issued() {
  const stored: RelayTickets[] = [];
  const relay = await issueRelay({ create: async (_id, tickets) => void stored.push(tickets) }, 1000);
  const [tickets] = stored;
  if (tickets === undefined) throw new Error('no tickets were stored');
  return { relay, tickets };
}

test('each token is one end, once, in time; only hashes are stored', async () => {
  const { relay, tickets } = await issued();
  expect(JSON.stringify(tickets)).not.toContain(relay.clientToken.slice(4));
  const client = await sha256(relay.clientToken);
  const { side, rest } = redeemTicket(tickets, client, 1000);
  expect(side).toBe('client');
  expect(() => redeemTicket(rest, client, 1000)).toThrow('this token was used before');
  expect(redeemTicket(rest, await sha256(relay.hostToken), 1000).side).toBe('host');
  expect(() => redeemTicket(tickets, client, 1000 + DIAL_MS)).toThrow('nobody dialled within 30 s');
});

test('another token, and a relay that is not there, are told apart from nothing', async () => {
  const { tickets } = await issued();
  const stranger = await sha256('brc_other');
  expect(() => redeemTicket(tickets, stranger, 0)).toThrow('this token opens no such relay');
  expect(() => redeemTicket(undefined, stranger, 0)).toThrow('this token opens no such relay');
});
