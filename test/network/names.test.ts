import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { NetworkNames } from '../../runner/network/name-table.ts';
import { RemoteProgram } from '../support/remote-program.ts';
import type { Question, Reply } from './ask-names.ts';
import type { NamesMethods } from './names-host.ts';
import { NetworkNamespace } from './namespace.ts';

const upstreams = { one: '198.51.100.2', two: '198.51.100.3' };
const shop = { id: 'shop', gateway: '10.91.0.1', subnet: '10.91.0.0/24' };
const vault = { id: 'vault', gateway: '10.92.0.1', subnet: '10.92.0.0/24' };

let stack: AsyncDisposableStack;
let host: NetworkNamespace;
let outside: NetworkNamespace;
let resolver: RemoteProgram<NamesMethods>;
let resolvConf: string;
let a: NetworkNamespace;
let b: NetworkNamespace;
let d: NetworkNamespace;

/** A bridge of the host with its gateway address. */
async function bridge(network: typeof shop): Promise<void> {
  await host.ip('link', 'add', network.id, 'type', 'bridge');
  await host.ip('address', 'add', `${network.gateway}/24`, 'dev', network.id);
  await host.ip('link', 'set', network.id, 'up');
}

/** Stands for a container on that network. */
async function container(name: string, network: typeof shop, address: string): Promise<NetworkNamespace> {
  const namespace = stack.use(await NetworkNamespace.create());
  await host.ip('link', 'add', `to-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace.name);
  await host.ip('link', 'set', `to-${name}`, 'master', network.id, 'up');
  await namespace.ip('address', 'add', `${address}/24`, 'dev', 'eth0');
  await namespace.ip('link', 'set', 'eth0', 'up');
  await namespace.ip('route', 'add', 'default', 'via', network.gateway);
  return namespace;
}

const networks: readonly NetworkNames[] = [
  {
    networkId: shop.id,
    networkName: 'shop_default',
    gateway: shop.gateway,
    subnet: shop.subnet,
    internal: false,
    endpoints: [
      { networkId: shop.id, containerId: 'a', names: ['web-1', 'web'], address: '10.91.0.2' },
      { networkId: shop.id, containerId: 'b', names: ['web-2', 'web'], address: '10.91.0.3' },
    ],
  },
  {
    networkId: vault.id,
    networkName: 'vault',
    gateway: vault.gateway,
    subnet: vault.subnet,
    internal: true,
    endpoints: [{ networkId: vault.id, containerId: 'd', names: ['store'], address: '10.92.0.2' }],
  },
];

async function ask(from: NetworkNamespace, gateway: string, ...questions: readonly Question[]): Promise<Reply[]> {
  return JSON.parse(await from.program('ask-names.ts', gateway, JSON.stringify(questions))) as Reply[];
}

/** What a reply looks like that has these data. */
function good(...data: readonly string[]): unknown {
  return expect.objectContaining({ code: 0, data });
}

function failed(code: number): unknown {
  return expect.objectContaining({ code, data: [] });
}

async function useUpstreams(...addresses: readonly string[]): Promise<void> {
  await writeFile(resolvConf, addresses.map((address) => `nameserver ${address}\n`).join(''));
}

function startResolver(): RemoteProgram<NamesMethods> {
  return new RemoteProgram<NamesMethods>(host.name, new URL('names-host.ts', import.meta.url), resolvConf);
}

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-names-'));
  stack.defer(() => rm(directory, { recursive: true }));
  resolvConf = join(directory, 'resolv.conf');
  await useUpstreams(upstreams.one, upstreams.two);
  host = stack.use(await NetworkNamespace.create());
  outside = stack.use(await NetworkNamespace.create());
  await host.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up0', 'netns', outside.name);
  await host.ip('address', 'add', '198.51.100.1/24', 'dev', 'up0');
  await host.ip('link', 'set', 'up0', 'up');
  await outside.ip('link', 'set', 'up0', 'up');
  for (const [name, address] of Object.entries(upstreams)) {
    await outside.ip('address', 'add', `${address}/24`, 'dev', 'up0');
    await outside.start('names-upstream.ts', name, address);
  }
  await bridge(shop);
  await bridge(vault);
  a = await container('a', shop, '10.91.0.2');
  b = await container('b', shop, '10.91.0.3');
  d = await container('d', vault, '10.92.0.2');
  resolver = stack.use(startResolver());
  await resolver.ready;
});

afterAll(() => stack.disposeAsync());

beforeEach(() => resolver.call('update', networks));

test('containers of a network have names, by both transports, and addresses have them', async () => {
  const replies = await ask(
    a,
    shop.gateway,
    { name: 'web-2' },
    { name: 'WEB-2.shop_default', transport: 'tcp' },
    { name: '3.0.91.10.in-addr.arpa', type: 'PTR' },
    { name: 'web-2', type: 'AAAA' },
    { name: 'store' },
  );
  expect(replies).toEqual([
    good('10.91.0.3'),
    good('10.91.0.3'),
    good('web-2.shop_default'),
    good(),
    failed(3), // of another network: what the world says
  ]);
});

test('a name of several containers has all of their addresses, in turns', async () => {
  const replies = await ask(a, shop.gateway, { name: 'web' }, { name: 'web' });
  expect(replies).toEqual([expect.anything(), expect.anything()]);
  const [first, second] = replies.map((reply) => (reply === 'none' ? [] : reply.data));
  expect(first?.toSorted()).toEqual(['10.91.0.2', '10.91.0.3']);
  expect(first).toEqual(second?.toReversed());
});

test('names that come and go are known at once, without a new connection of anybody', async () => {
  const [shopNames] = networks;
  if (shopNames === undefined) throw new Error('no network');
  const late = { networkId: shop.id, containerId: 'e', names: ['late'], address: '10.91.0.9' };
  await resolver.call('update', [{ ...shopNames, endpoints: [...shopNames.endpoints, late] }]);
  expect(await ask(a, shop.gateway, { name: 'late' })).toEqual([good('10.91.0.9')]);
  await resolver.call('update', networks);
  expect(await ask(a, shop.gateway, { name: 'late' })).toEqual([failed(3)]);
});

test('what is not a container is asked of the host’s resolvers, as it was asked', async () => {
  const replies = await ask(
    a,
    shop.gateway,
    { name: 'example.test' },
    { name: 'example.test', transport: 'tcp' },
    { name: 'edns.test', type: 'TXT', datagramBytes: 1357 },
    { name: 'edns.test', type: 'TXT' },
    { name: 'nosuch.test' },
    { name: 'who.test', type: 'TXT' },
  );
  expect(replies).toEqual([
    good('203.0.113.7'),
    good('203.0.113.7'),
    good('1357'),
    good('none'),
    failed(3),
    good('one'),
  ]);
});

test('an answer that does not fit says so, and comes whole by TCP', async () => {
  const long = { name: 'long.test', type: 'TXT' } as const;
  const [datagram, stream] = await ask(a, shop.gateway, long, { ...long, transport: 'tcp' });
  expect(datagram).toMatchObject({ code: 0, data: [], truncated: true });
  expect(stream).toMatchObject({ code: 0, truncated: false });
  expect(stream === 'none' ? 0 : stream?.data.length).toBe(200);
});

test('many addresses of one name are cut to what the asker takes', async () => {
  const [shopNames] = networks;
  if (shopNames === undefined) throw new Error('no network');
  const endpoints = Array.from({ length: 120 }, (_, n) => ({
    networkId: shop.id,
    containerId: `c${n}`,
    names: ['crowd'],
    address: `10.91.0.${n + 10}`,
  }));
  await resolver.call('update', [{ ...shopNames, endpoints: [...shopNames.endpoints, ...endpoints] }]);
  const crowd = { name: 'crowd' };
  const [plain, larger, stream] = await ask(
    a,
    shop.gateway,
    crowd,
    { ...crowd, datagramBytes: 1232 },
    { ...crowd, transport: 'tcp' },
  );
  expect(plain).toMatchObject({ truncated: true });
  expect(plain === 'none' ? 0 : plain?.bytes).toBeLessThanOrEqual(512);
  expect(larger).toMatchObject({ truncated: true });
  expect(larger === 'none' ? 0 : larger?.bytes).toBeGreaterThan(512);
  expect(stream === 'none' ? 0 : stream?.data.length).toBe(120);
});

test('an answer with another id, question or direction is not taken for one', async () => {
  expect(await ask(a, shop.gateway, { name: 'forged.test' })).toEqual([good('203.0.113.8')]);
});

test('a container with resolvers of its own has its questions asked there', async () => {
  const own = { servers: [upstreams.two], hasDots: false };
  const given = networks.map((network) => ({
    ...network,
    endpoints: network.endpoints.map((one) => (one.containerId === 'b' ? { ...one, dns: own } : one)),
  }));
  await resolver.call('update', given);
  const who = { name: 'who.test', type: 'TXT' } as const;
  expect(await ask(b, shop.gateway, who)).toEqual([good('two')]);
  expect(await ask(a, shop.gateway, who)).toEqual([good('one')]);
});

test('the next resolver is asked when one fails or is silent; when all are, that is said', async () => {
  // A resolver that a busy machine keeps waiting may pass for a silent one.
  await expect
    .poll(() => ask(a, shop.gateway, { name: 'sick.test' }, { name: 'silent.test' }))
    .toEqual([good(), good('203.0.113.9')]);
  expect(await ask(a, shop.gateway, { name: 'dead.test' })).toEqual([failed(2)]);
});

test('an internal network has its names and nothing of the world', async () => {
  expect(await ask(d, vault.gateway, { name: 'store' }, { name: 'example.test' })).toEqual([
    good('10.92.0.2'),
    failed(2),
  ]);
});

test('a network’s gateway answers nobody else', async () => {
  const name = { name: 'web-1', waitMs: 700 };
  expect(await ask(d, shop.gateway, name, { ...name, transport: 'tcp' })).toEqual(['none', 'none']);
  expect(await ask(outside, '198.51.100.1', name)).toEqual(['none']);
});

test('damaged messages do it no harm', async () => {
  await a.program('ask-names.ts', shop.gateway, 'garbage', '3000', '20261121');
  expect(await ask(a, shop.gateway, { name: 'web-2' }, { name: 'web-2', transport: 'tcp' })).toEqual([
    good('10.91.0.3'),
    good('10.91.0.3'),
  ]);
});

test('port 53 of the host stays free: for a program of the host, and to be published', async () => {
  await host.start('answer.ts', '53', 'host');
  const taken = 'table ip taken { chain in { type nat hook prerouting priority -100; udp dport 53 redirect to :7; }; }';
  await host.run('nft', taken);
  expect(await ask(a, shop.gateway, { name: 'web-2' }, { name: 'web-2', transport: 'tcp' })).toEqual([
    good('10.91.0.3'),
    good('10.91.0.3'),
  ]);
  await host.run('nft', 'delete', 'table', 'ip', 'taken');
});

test('rules that somebody flushed are made again, and it is told', async () => {
  await host.run('nft', 'flush', 'ruleset');
  const name = { name: 'web-2', waitMs: 2000 };
  await expect.poll(() => ask(a, shop.gateway, name)).toEqual([good('10.91.0.3')]);
  await expect
    .poll(() => resolver.call('warnings'))
    .toContain('The nftables table of the resolvers was gone and has been made again');
});

test('a gateway that is not there yet is tried again', async () => {
  const later = { ...networks[0], networkId: 'later', networkName: 'later', endpoints: [], internal: false };
  const yard = { id: 'later', gateway: '10.93.0.1', subnet: '10.93.0.0/24' };
  const endpoint = { networkId: 'later', containerId: 'f', names: ['crane'], address: '10.93.0.2' };
  await resolver.call('update', [...networks, { ...later, ...yard, endpoints: [endpoint] }]);
  expect(await resolver.call('warnings')).toContainEqual(
    expect.stringMatching(/^Network "later" has no resolver yet, it is tried again: 10\.93\.0\.1: .*EADDRNOTAVAIL/),
  );
  await bridge(yard);
  const f = await container('f', yard, '10.93.0.2');
  const name = { name: 'crane', waitMs: 2000 };
  await expect.poll(() => ask(f, yard.gateway, name)).toEqual([good('10.93.0.2')]);
});

test('after kill -9 the next resolver takes its place, and its end leaves no rules', async () => {
  await resolver.kill();
  expect(await host.run('nft', 'list', 'tables')).toContain('berth-names-test');
  resolver = startResolver();
  await resolver.ready;
  await resolver.call('update', networks);
  expect(await ask(a, shop.gateway, { name: 'web-2' })).toEqual([good('10.91.0.3')]);
  await resolver[Symbol.asyncDispose]();
  expect(await host.run('nft', 'list', 'tables')).not.toContain('berth-names');
  resolver = stack.use(startResolver());
  await resolver.ready;
});
