import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LinkSpec } from '../../runner/launcher/launcher.ts';
import type { Endpoint, Network } from '../../runner/network/network.ts';
import { NetworkNamespace } from './namespace.ts';

const HOST = '198.51.100.1';
const OUTSIDE = '198.51.100.2';

/** The runner's network, called in its own process and namespace. */
class RemoteNetwork {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor(child: ChildProcess) {
    if (child.stdout === null) throw new Error('no standard output');
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout });
  }

  async call<Result = null>(method: keyof Network | 'remove' | 'names', ...args: unknown[]): Promise<Result> {
    this.#child.stdin?.write(`${JSON.stringify([method, ...args])}\n`);
    const [line] = (await once(this.#lines, 'line')) as [string];
    const answer = JSON.parse(line) as { result: Result } | { code: string; message: string };
    if ('code' in answer) throw Object.assign(new Error(answer.message), { code: answer.code });
    return answer.result;
  }

  async end(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const [code] = (await exit) as [number | null];
    if (code !== 0) throw new Error(`host.ts ended with ${code}`);
  }
}

interface Container {
  readonly id: string;
  readonly name: string;
  readonly link: LinkSpec;
  readonly namespace: NetworkNamespace;
}

let stack: AsyncDisposableStack;
let host: NetworkNamespace;
let outside: NetworkNamespace;
let network: RemoteNetwork;
let database: string;
let a: Container;
let b: Container;

async function startContainer(name: string): Promise<Container> {
  const id = randomBytes(32).toString('hex');
  const link = await network.call<LinkSpec>('lease', id);
  const namespace = stack.use(await NetworkNamespace.create());
  await host.ip('link', 'add', link.hostName, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace.name);
  await host.ip('link', 'set', link.hostName, 'master', link.bridge, 'up');
  await host.ip('link', 'set', link.hostName, 'type', 'bridge_slave', 'hairpin', 'on');
  await namespace.ip('link', 'set', 'eth0', 'address', link.macAddress, 'up');
  await namespace.ip('address', 'add', `${link.address}/${link.prefixLength}`, 'dev', 'eth0');
  await namespace.ip('route', 'add', 'default', 'via', link.gateway);
  await namespace.start('answer.ts', '80', name);
  return { id, name, link, namespace };
}

function endpoint(container: Container, hostPort: number, protocol: 'tcp' | 'udp' = 'tcp'): Endpoint {
  const ports = [{ protocol, hostPort, containerPort: 80 }];
  return { containerId: container.id, address: container.link.address, publishGroup: 'g', ports };
}

async function ask(
  from: NetworkNamespace,
  address: string,
  port: number,
  options: { times?: number; protocol?: 'tcp' | 'udp'; deadlineMs?: number } = {},
): Promise<readonly string[]> {
  const { times = 1, protocol = 'tcp', deadlineMs = 30_000 } = options;
  return JSON.parse(
    await from.program('ask.ts', protocol, address, `${port}`, `${times}`, `${deadlineMs}`),
  ) as readonly string[];
}

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-network-'));
  stack.defer(() => rm(directory, { recursive: true }));
  database = join(directory, 'runner.db');
  host = stack.use(await NetworkNamespace.create());
  outside = stack.use(await NetworkNamespace.create());
  await host.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up0', 'netns', outside.name);
  for (const [namespace, address] of [
    [host, HOST],
    [outside, OUTSIDE],
  ] as const) {
    await namespace.ip('address', 'add', `${address}/24`, 'dev', 'up0');
    await namespace.ip('link', 'set', 'up0', 'up');
  }
  await host.ip('route', 'add', '10.83.0.0/22', 'via', OUTSIDE); // so that the pool's first subnet is taken
  network = new RemoteNetwork(await host.start('host.ts', database));
  a = await startContainer('a');
  b = await startContainer('b');
});

afterAll(() => stack.disposeAsync());

test('addresses come from a subnet that no route of the host has', () => {
  expect(a.link).toMatchObject({ address: '10.83.4.2', gateway: '10.83.4.1', prefixLength: 22 });
  expect(a.link.macAddress).toBe('02:42:0a:53:04:02');
});

test('a container reaches the outside under the address of the host', async () => {
  await outside.start('answer.ts', '7000', 'outside');
  expect(await ask(a.namespace, OUTSIDE, 7000)).toEqual([`outside ${HOST}`]);
});

test('a published port answers from outside, from localhost, from the host, and from containers', async () => {
  await network.call('publish', [endpoint(a, 8080)]);
  expect(await ask(outside, HOST, 8080)).toEqual([`a ${OUTSIDE}`]);
  expect(await ask(host, '127.0.0.1', 8080)).toEqual([`a ${a.link.gateway}`]);
  expect(await ask(host, HOST, 8080)).toEqual([expect.stringMatching(/^a /)]);
  expect(await ask(b.namespace, HOST, 8080)).toEqual([`a ${a.link.gateway}`]);
  expect(await ask(b.namespace, a.link.gateway, 8080)).toEqual([`a ${a.link.gateway}`]);
  expect(await ask(a.namespace, HOST, 8080)).toEqual([`a ${a.link.gateway}`]); // hairpin
});

test('udp is published beside tcp', async () => {
  await network.call('publish', [endpoint(a, 8080, 'udp'), endpoint(b, 8080, 'tcp')]);
  expect(await ask(outside, HOST, 8080, { protocol: 'udp' })).toEqual([`a ${OUTSIDE}`]);
  expect(await ask(outside, HOST, 8080, { protocol: 'tcp' })).toEqual([`b ${OUTSIDE}`]);
});

test('one port of several containers is balanced over them', async () => {
  await network.call('publish', [endpoint(a, 8080), endpoint(b, 8080)]);
  const answers = await ask(outside, HOST, 8080, { times: 40 });
  expect(new Set(answers)).toEqual(new Set([`a ${OUTSIDE}`, `b ${OUTSIDE}`]));
  const local = await ask(host, '127.0.0.1', 8080, { times: 40 });
  expect(new Set(local).size).toBe(2);
});

test('what is no longer published is refused; the rest stays', async () => {
  await network.call('publish', [endpoint(a, 8080), endpoint(b, 9090)]);
  await network.call('publish', [endpoint(b, 9090)]);
  expect(await ask(outside, HOST, 8080)).toEqual(['ECONNREFUSED']);
  expect(await ask(outside, HOST, 9090)).toEqual([`b ${OUTSIDE}`]);
});

test('from outside, only published ports of a container are open', async () => {
  await outside.ip('route', 'add', '10.83.4.0/22', 'via', HOST);
  await network.call('publish', [endpoint(a, 8080)]);
  expect(await ask(outside, a.link.address, 80, { deadlineMs: 1500 })).toEqual(['TIMEOUT']);
  expect(await ask(b.namespace, a.link.address, 80)).toEqual([`a ${b.link.address}`]);
  expect(await ask(host, a.link.address, 80)).toEqual([`a ${a.link.gateway}`]);
});

test('a container cannot reach what listens on the loopback of the host', async () => {
  await host.start('answer.ts', '6000', 'host');
  const forger = await startContainer('forger');
  // Its own 127.0.0.1 is forgotten, and the address is routed to the bridge instead.
  await forger.namespace.ip('link', 'set', 'lo', 'down');
  await forger.namespace.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet');
  await forger.namespace.ip('address', 'flush', 'dev', 'lo');
  await forger.namespace.ip('route', 'add', '127.0.0.1/32', 'via', forger.link.gateway, 'dev', 'eth0');
  expect(await ask(forger.namespace, '127.0.0.1', 6000, { deadlineMs: 1500 })).toEqual(['TIMEOUT']);
});

test('rules that somebody flushed are restored, at the next publication and without one', async () => {
  const endpoints = [endpoint(a, 8080), endpoint(b, 9090)];
  await network.call('publish', endpoints);
  const rules = await host.run('nft', 'list', 'ruleset');
  await host.run('nft', 'flush', 'ruleset');
  await network.call('publish', endpoints);
  expect(await host.run('nft', 'list', 'ruleset')).toBe(rules);
  await host.run('nft', 'flush', 'ruleset');
  await expect.poll(() => host.run('nft', 'list', 'ruleset')).toBe(rules);
  expect(await ask(outside, HOST, 8080)).toEqual([`a ${OUTSIDE}`]);
});

test('a host port belongs to one group, and to no other process of the host', async () => {
  const port = { protocol: 'tcp', hostPort: 8081, containerPort: 80 };
  await network.call('reserve', a.id, 'web', [port]);
  await network.call('reserve', b.id, 'web', [port]);
  const other = randomBytes(32).toString('hex');
  await expect(network.call('reserve', other, 'api', [port])).rejects.toMatchObject({
    code: 'port.taken',
    message: expect.stringContaining('Bind for 0.0.0.0:8081 failed: port is already allocated (container ') as string,
  });
  await network.call('reserve', a.id, 'web', []);
  await network.call('release', b.id);
  await network.call('reserve', other, 'api', [port]);

  await host.start('answer.ts', '8082', 'host');
  for (const protocol of ['tcp', 'udp']) {
    await expect(
      network.call('reserve', a.id, 'web', [{ protocol, hostPort: 8082, containerPort: 80 }]),
    ).rejects.toMatchObject({
      code: 'port.taken',
      message: expect.stringContaining(`another process of this host uses ${protocol} port 8082`) as string,
    });
  }
});

test('a new runner finds leases and rules as they were, and removes them when told to', async () => {
  await network.call('publish', [endpoint(a, 8080)]);
  await network.end();
  expect(await ask(outside, HOST, 8080)).toEqual([`a ${OUTSIDE}`]);
  network = new RemoteNetwork(await host.start('host.ts', database));
  expect(await ask(outside, HOST, 8080)).toEqual([`a ${OUTSIDE}`]);
  expect(await network.call('lease', a.id)).toEqual(a.link);

  await network.call('release', a.id);
  expect(await host.ip('link')).not.toContain(a.link.hostName);
  await network.call('remove');
  await network.call('remove');
  expect(await host.run('nft', 'list', 'ruleset')).toBe('');
  expect(await host.ip('link')).not.toContain('br-');
});
