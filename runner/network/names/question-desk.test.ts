import { decode, encode, type RecordType } from 'dns-packet';
import { expect, test } from 'vitest';
import { Random } from '../../../test/support/random.ts';
import type { NetworkNames } from '../name-table.ts';
import { NameIndex } from './name-index.ts';
import { QuestionDesk, type Asked, type ContainerDns } from './question-desk.ts';

const shop: NetworkNames = {
  networkId: 'shop',
  networkName: 'shop_default',
  gateway: '10.1.0.1',
  subnet: '10.1.0.0/24',
  internal: false,
  endpoints: [
    { networkId: 'shop', containerId: 'a', names: ['web-1', 'Web'], address: '10.1.0.2' },
    { networkId: 'shop', containerId: 'b', names: ['web-2', 'web'], address: '10.1.0.3' },
    { networkId: 'shop', containerId: 'c', names: ['both'], address: '10.1.0.4' },
    { networkId: 'shop', containerId: 'b', names: ['peer', 'web'], address: '10.1.0.3', onlyFor: 'c' },
  ],
};
const vault: NetworkNames = {
  networkId: 'vault',
  networkName: 'vault',
  gateway: '10.2.0.1',
  subnet: '10.2.0.0/24',
  internal: true,
  endpoints: [
    { networkId: 'vault', containerId: 'c', names: ['both'], address: '10.2.0.4' },
    { networkId: 'vault', containerId: 'd', names: ['store'], address: '10.2.0.5' },
  ],
};

function desk(options: { own?: ContainerDns; hasDots?: boolean } = {}): QuestionDesk {
  const made = new QuestionDesk({
    dnsOf: () => options.own,
    host: { servers: [], hasDots: options.hasDots ?? false },
  });
  made.update(new NameIndex([shop, vault]), new Set([shop.gateway, vault.gateway]));
  return made;
}

function asked(networkId: string, source: string, bytes: Buffer): Asked {
  return { networkId, source, transport: 'udp', bytes, signal: AbortSignal.timeout(5000) };
}

async function ask(
  name: string,
  options: { type?: RecordType; from?: string; at?: string; desk?: QuestionDesk } = {},
): Promise<{ code: number; data: readonly unknown[] } | undefined> {
  const bytes = encode({ type: 'query', id: 3, flags: 0x100, questions: [{ name, type: options.type ?? 'A' }] });
  const answer = await (options.desk ?? desk()).answer(asked(options.at ?? 'shop', options.from ?? '10.1.0.2', bytes));
  if (answer === undefined) return undefined;
  const { answers = [] } = decode(answer);
  return { code: answer.readUInt16BE(2) & 0xf, data: answers.map((one) => ('data' in one ? one.data : undefined)) };
}

test('a name has the addresses of all that have it, each first in its turn', async () => {
  const one = desk();
  const first = await ask('web', { desk: one });
  const second = await ask('WEB', { desk: one });
  expect(first).toEqual({ code: 0, data: second?.data.toReversed() });
  expect(first?.data.toSorted()).toEqual(['10.1.0.2', '10.1.0.3']);
  expect(await ask('web-2')).toEqual({ code: 0, data: ['10.1.0.3'] });
  expect(await ask('web-2.shop_default')).toEqual({ code: 0, data: ['10.1.0.3'] });
});

test('a name that is there has no records of other types, and is not asked outside', async () => {
  for (const type of ['AAAA', 'MX', 'TXT'] as const) expect(await ask('web', { type })).toEqual({ code: 0, data: [] });
});

test('an address has a name', async () => {
  expect(await ask('2.0.1.10.in-addr.arpa', { type: 'PTR' })).toEqual({ code: 0, data: ['web-1.shop_default'] });
  expect(await ask('9.0.1.10.in-addr.arpa', { type: 'PTR' })).toEqual({ code: 2, data: [] });
});

test('an asker knows the names of its own networks, at whichever gateway it asks', async () => {
  expect(await ask('store')).toEqual({ code: 2, data: [] });
  expect(await ask('store', { from: '10.1.0.4' })).toEqual({ code: 0, data: ['10.2.0.5'] });
  expect(await ask('both', { from: '10.1.0.4' })).toEqual({ code: 0, data: ['10.1.0.4'] });
  expect(await ask('both', { from: '10.2.0.4', at: 'vault' })).toEqual({ code: 0, data: ['10.2.0.4'] });
});

test('a link is known to its container alone, before what others call by that name', async () => {
  expect(await ask('peer', { from: '10.1.0.4' })).toEqual({ code: 0, data: ['10.1.0.3'] });
  expect(await ask('web', { from: '10.1.0.4' })).toEqual({ code: 0, data: ['10.1.0.3'] });
  expect(await ask('peer')).toEqual({ code: 2, data: [] });
});

test('a stranger to the network is not answered at all', async () => {
  for (const from of ['10.2.0.4', '127.0.0.1', '192.0.2.1', '']) expect(await ask('web', { from })).toBeUndefined();
  expect(await ask('web', { at: 'nowhere' })).toBeUndefined();
});

test('an address that no container is known at yet may ask', async () => {
  expect(await ask('web-1', { from: '10.1.0.77' })).toEqual({ code: 0, data: ['10.1.0.2'] });
});

test('a short name is not asked outside for one who wants dots in it', async () => {
  const empty = { code: 0, data: [] };
  const own = { servers: ['192.0.2.1'], hasDots: true };
  expect(await ask('nosuch', { desk: desk({ own }) })).toEqual(empty);
  expect(await ask('nosuch', { desk: desk({ hasDots: true }) })).toEqual(empty);
});

test('the gateways are nobody’s upstream, so that no question goes round', async () => {
  const own = { servers: [shop.gateway, vault.gateway], hasDots: false };
  expect(await ask('example.org', { desk: desk({ own }) })).toEqual({ code: 2, data: [] });
});

test('20,000 damaged messages (seeded) are answered briefly or not at all', async () => {
  const random = new Random(20_261);
  const one = desk();
  const names = ['web', 'web-1.shop_default', 'example.org', '2.0.1.10.in-addr.arpa'] as const;
  const types = ['A', 'AAAA', 'PTR', 'ANY', 'TXT'] as const;
  for (let round = 0; round < 20_000; round += 1) {
    const question = { name: random.pick(names), type: random.pick(types) as RecordType };
    const bytes = encode({ type: 'query', id: round % 65_536, questions: [question] });
    for (let change = random.below(8); change > 0; change -= 1) bytes[random.below(bytes.length)] = random.below(256);
    const message = bytes.subarray(0, random.below(bytes.length + 1));
    const answer = await one.answer(asked('shop', '10.1.0.2', random.below(2) === 0 ? message : bytes));
    if (answer === undefined) continue;
    expect(answer.length).toBeLessThanOrEqual(512);
    expect(answer.readUInt16BE(2) & 0x8000).toBe(0x8000);
  }
});
