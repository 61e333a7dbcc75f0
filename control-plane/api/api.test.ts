import { expect, test } from 'vitest';
import { createdJoinToken, joinResponse } from '#shared/api/hosts.ts';
import { applyResponse } from '#shared/api/stacks.ts';
import { createdToken } from '#shared/api/tokens.ts';
import { BerthError } from '#shared/errors.ts';
import { createApp } from '../app.ts';
import { temporaryDatabase } from '../dev/temporary-database.ts';
import type { Hub, Ports } from '../ports.ts';
import { createCluster } from '../store/cluster-store.ts';
import { Client, type ApiTarget } from '../../test/conformance/api-client.ts';
import { apiSuite, facts, hello } from '../../test/conformance/api-suite.ts';

const bootstrapSecret = 'the-secret-of-this-test';

/** A cluster without a control channel: a poke converges in place, and no host can be dialled. */
async function openTarget(change: Partial<Hub> = {}): Promise<ApiTarget> {
  const database = await temporaryDatabase();
  const clock = () => Date.now();
  const cluster = createCluster({ database, clock });
  const hub: Hub = {
    poke: async () => {
      await cluster.converge();
    },
    revoke: async () => {
      await cluster.converge();
    },
    openRelay: (hostId) =>
      Promise.reject(new BerthError('unavailable', 'host.not-connected', `host ${hostId} is not connected`)),
    waitForEvents: async (after, waitMs, signal) => {
      const untilMs = Date.now() + waitMs;
      while (!signal.aborted && Date.now() < untilMs && (await cluster.newestEventId()) <= after) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    ...change,
  };
  const ports: Ports = { database, hub, clock, bootstrapSecret };
  const app = createApp(ports, (error) => {
    throw error;
  });
  return {
    bootstrapSecret,
    fetch: async (request) => app.fetch(request),
    connectHost: async (hostId, facts, images) => {
      await cluster.hostConnected(hostId, facts, images);
      await cluster.converge();
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

apiSuite('Node with embedded libSQL', openTarget);

test('a change is stored also when the hub cannot be reached; the answer says so, and a repetition pokes again', async () => {
  let isReachable = true;
  const pokes: boolean[] = [];
  await using target = await openTarget({
    poke: () => {
      pokes.push(isReachable);
      return isReachable ? Promise.resolve() : Promise.reject(new Error('no route'));
    },
  });
  const client = new Client(target);
  const bootstrap = { method: 'POST', token: bootstrapSecret, body: {} };
  client.token = (await client.ok(createdToken, '/v1/bootstrap', bootstrap)).token;
  const { path, call } = client.apply('shop', 'services: { web: { image: hello:1 } }');
  expect(await client.problem(path, call)).toMatchObject({ code: 'image.unknown' });
  expect(pokes).toEqual([]);
  const { token } = await client.ok(createdJoinToken, '/v1/join-tokens', { method: 'POST', body: {} });
  const body = { protocol: 1, name: 'alpha', publicKey: 'A'.repeat(43), facts };
  const { hostId } = await client.ok(joinResponse, '/v1/hosts/join', { method: 'POST', token, body });
  await target.connectHost(hostId, facts, [hello]);
  isReachable = false;
  expect(await client.problem(path, call)).toMatchObject({ status: 503, code: 'hub.unavailable' });
  isReachable = true;
  expect(await client.ok(applyResponse, path, call)).toMatchObject({ revision: 1, changed: false });
  expect(pokes).toEqual([false, true]);
});

test('the health check says when the database is away', async () => {
  await using target = await openTarget();
  expect((await target.fetch(new Request('http://berth.test/healthz'))).status).toBe(200);
  await using database = await temporaryDatabase();
  const hub: Hub = {
    poke: () => Promise.resolve(),
    revoke: () => Promise.resolve(),
    openRelay: () => Promise.reject(new Error('not used')),
    waitForEvents: () => Promise.resolve(),
  };
  database.read.close();
  const app = createApp({ database, hub, clock: Date.now, bootstrapSecret });
  const response = await app.request('/healthz');
  expect([response.status, await response.json()]).toMatchObject([503, { code: 'database.unavailable' }]);
});
