import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { writeBusyboxArchive } from './busybox-image.ts';
import { RemoteEngine } from './remote-engine.ts';

const stack = new AsyncDisposableStack();
let root: string;
let host: NetworkNamespace;
let engine: RemoteEngine;
let imageId: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-engine-'));
  stack.defer(() => rm(root, { recursive: true }));
  host = stack.use(await NetworkNamespace.create());
  const archive = join(root, 'busybox.tar');
  await writeBusyboxArchive(archive);
  engine = await RemoteEngine.start(host.name, join(root, 'data'));
  stack.defer(async () => {
    for (const { id } of await engine.call('list')) await engine.call('remove', id, { force: true });
    await engine.call('clear');
    await engine[Symbol.asyncDispose]();
  });
  imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
});
afterAll(() => stack.disposeAsync());

async function makeNetwork(name: string): Promise<{ id: string; bridge: string }> {
  const rest = { labels: {}, options: {}, internal: false, attachable: false, ipam: { options: null, config: [] } };
  return engine.call('createNetwork', { name, ...rest });
}

async function started(name: string, options: Record<string, unknown>): Promise<ContainerRecord> {
  const { id } = await engine.call('create', {
    ...{ name, image: 'busybox:1', imageId, args: ['/bin/sleep', '1000'], environment: [], workingDirectory: '' },
    ...{ user: '', hostname: '', labels: {}, restart: { kind: 'no' }, ports: [], publishGroup: name },
    ...options,
  });
  await engine.call('start', id);
  return record(id);
}

async function record(id: string): Promise<ContainerRecord> {
  const found = await engine.call('find', id);
  if (found === undefined || found === null) throw new Error(`no container ${id}`);
  return found;
}

/** kill -9, what a crash would have left, and a new engine. */
async function crash(leave: (database: DatabaseSync) => void): Promise<void> {
  await engine.kill();
  {
    using database = new DatabaseSync(join(root, 'data', 'runner.db'));
    leave(database);
  }
  engine = await RemoteEngine.start(host.name, join(root, 'data'));
}

test('networks, addresses and chosen ports are the same after kill -9', async () => {
  const network = await makeNetwork('kept');
  const before = await started('keeper', {
    endpoints: [{ network: network.id }, { network: 'bridge' }],
    ports: [{ protocol: 'tcp', hostPort: 0, containerPort: 80 }],
  });
  expect(before.published?.[0]?.hostPort).toBeGreaterThanOrEqual(32_768);
  await crash(() => {});
  expect(await record(before.id)).toMatchObject({
    state: 'running',
    links: before.links,
    published: before.published,
    address: before.address,
  });
  await expect(engine.call('removeNetwork', network.id)).rejects.toMatchObject({ code: 'network.in-use' });
  await engine.call('remove', before.id, { force: true });
  await engine.call('removeNetwork', network.id);
  expect(await host.ip('-o', 'link')).not.toContain(network.bridge);
});

test('a network that was half made or half removed is gone, with its bridge', async () => {
  const [making, removing] = [await makeNetwork('making'), await makeNetwork('removing')];
  await crash((database) => {
    database.exec("update networks set state = name where name in ('making', 'removing')");
  });
  const links = await host.ip('-o', 'link');
  for (const { bridge } of [making, removing]) expect(links).not.toContain(bridge);
  const names = (await engine.call('networks')).map(({ name }) => name);
  expect(names).toEqual(['bridge', 'host', 'none']);
});

test('a bridge that the host lost is made again', async () => {
  const network = await makeNetwork('lost');
  await engine.kill();
  await host.ip('link', 'del', network.bridge);
  engine = await RemoteEngine.start(host.name, join(root, 'data'));
  expect(await host.ip('-o', 'link')).toContain(network.bridge);
  await engine.call('removeNetwork', network.id);
});

test('a connection and a disconnection that were cut off are carried to their end', async () => {
  const [one, two] = [await makeNetwork('one'), await makeNetwork('two')];
  const { id } = await started('cut', { endpoints: [{ network: one.id }] });
  const [first] = (await record(id)).links ?? [];
  await crash((database) => {
    const row = database.prepare('select config from containers where id = ?').get(id);
    const config = { ...JSON.parse(String(row?.['config'])), endpoints: [{ network: two.id }] };
    database.prepare('update containers set config = ? where id = ?').run(JSON.stringify(config), id);
  });
  const now = await record(id);
  expect(now.links?.map(({ networkName }) => networkName)).toEqual(['two']);
  expect(await host.ip('-o', 'link')).not.toContain(first?.hostName);
  const result = await engine.call('exec', id, { args: ['cat', '/proc/net/route'] });
  expect(result).toMatchObject({ stdout: expect.stringMatching(/^eth0\s+00000000/m) as string });
  await engine.call('remove', id, { force: true });
  for (const network of [one, two]) await engine.call('removeNetwork', network.id);
  expect((await host.ip('-o', 'link')).match(/ br-/g)).toHaveLength(1);
});
