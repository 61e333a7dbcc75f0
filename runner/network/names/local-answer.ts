import type { Answer } from 'dns-packet';
import { answered, type Query } from './message.ts';
import { reverseAddress, type NameView } from './name-index.ts';

/**
 * Seconds that an answer may be kept. Docker's 600 let clients that heed it talk to the address of a container that has
 * long been replaced; to ask again costs less than 0.1 ms.
 */
const timeToLiveS = 5;

/**
 * The answer from the names of the asker's networks; undefined when nobody there has the name. `turn` differs from
 * question to question, so that the addresses of a name take turns in being the first.
 */
export function localAnswer(query: Query, view: NameView, turn: number, longestBytes: number): Buffer | undefined {
  if (!query.isInternet) return undefined;
  const addresses = view.addresses(query.name);
  if (addresses !== undefined) {
    // There are no IPv6 addresses, and so on: the name is there, without records of the type (RFC 2308 section 2.2).
    const asksAddress = query.type === 'A' || query.type === 'ANY';
    return answered(query, asksAddress ? addressRecords(query, addresses, turn) : [], longestBytes);
  }
  if (query.type !== 'PTR') return undefined;
  const address = reverseAddress(query.name);
  const name = address === undefined ? undefined : view.nameAt(address);
  if (name === undefined) return undefined;
  const record: Answer = { type: 'PTR', name: askedName(query), ttl: timeToLiveS, class: 'IN', data: name };
  return answered(query, [record], longestBytes);
}

function addressRecords(query: Query, addresses: readonly string[], turn: number): readonly Answer[] {
  const start = turn % addresses.length;
  return [...addresses.slice(start), ...addresses.slice(0, start)].map((data) => ({
    type: 'A',
    name: askedName(query),
    ttl: timeToLiveS,
    class: 'IN',
    data,
  }));
}

/** With its letters as they were asked: some askers check them (draft-vixie-dnsext-dns0x20). */
function askedName({ message, name }: Query): string {
  return message.questions?.[0]?.name ?? name;
}
