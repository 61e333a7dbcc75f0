import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineStage } from './engine-stage.ts';

let stage: EngineStage;

beforeAll(async () => {
  stage = await EngineStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

async function makeNetwork(name: string): Promise<{ id: string; bridge: string }> {
  const rest = { labels: {}, options: {}, internal: false, attachable: false, ipam: { options: null, config: [] } };
  return stage.engine.call('createNetwork', { name, ...rest });
}

const started = (name: string, options: object) => stage.start(['/bin/sleep', '1000'], { name, ...options });

const record = (reference: string) => stage.record(reference);

/** kill -9, what a crash would have left, and a new engine. */
async function crash(leave: (database: DatabaseSync) => void): Promise<void> {
  await stage.engine.kill();
  {
    using database = new DatabaseSync(join(stage.data, 'runner.db'));
    leave(database);
  }
  await stage.restart();
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
  await expect(stage.engine.call('removeNetwork', network.id)).rejects.toMatchObject({ code: 'network.in-use' });
  await stage.engine.call('remove', before.id, { force: true });
  await stage.engine.call('removeNetwork', network.id);
  expect(await stage.host.ip('-o', 'link')).not.toContain(network.bridge);
});

test('a network that was half made or half removed is gone, with its bridge', async () => {
  const [making, removing] = [await makeNetwork('making'), await makeNetwork('removing')];
  await crash((database) => {
    database.exec("update networks set state = name where name in ('making', 'removing')");
  });
  const links = await stage.host.ip('-o', 'link');
  for (const { bridge } of [making, removing]) expect(links).not.toContain(bridge);
  const names = (await stage.engine.call('networks')).map(({ name }) => name);
  expect(names).toEqual(['bridge', 'host', 'none']);
});

test('a bridge that the host lost is made again', async () => {
  const network = await makeNetwork('lost');
  await stage.engine.kill();
  await stage.host.ip('link', 'del', network.bridge);
  await stage.restart();
  expect(await stage.host.ip('-o', 'link')).toContain(network.bridge);
  await stage.engine.call('removeNetwork', network.id);
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
  expect(await stage.host.ip('-o', 'link')).not.toContain(first?.hostName);
  const result = await stage.engine.call('exec', id, { args: ['cat', '/proc/net/route'] });
  expect(result).toMatchObject({ stdout: expect.stringMatching(/^eth0\s+00000000/m) as string });
  await stage.engine.call('remove', id, { force: true });
  for (const network of [one, two]) await stage.engine.call('removeNetwork', network.id);
  expect((await stage.host.ip('-o', 'link')).match(/ br-/g)).toHaveLength(1);
});
