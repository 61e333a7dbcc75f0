import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createdToken } from '#shared/api/tokens.ts';
import { sha256 } from '#shared/digest.ts';
import { CLOSE } from '#shared/protocol/control.ts';
import { Admin } from '../conformance/admin.ts';
import { refusedDial } from '../conformance/relay-end.ts';
import { startTarget, type Target } from '../conformance/target.ts';
import { TEST_IMAGE, TestHost } from '../conformance/test-host.ts';

// SECURITY.md, "Control plane". What is refused by scope and by expiry is in test/conformance/api-suite.ts; the
// control channel's other refusals are in test/conformance/protocol-suite.ts.

let target: Target;
let admin: Admin;
beforeAll(async () => {
  target = await startTarget('node');
  admin = await Admin.bootstrap(target);
});
afterAll(() => target[Symbol.asyncDispose]());

function request(method: string, path: string, token: string, body?: object): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return fetch(target.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function makeToken(name: string, scope: string): Promise<string> {
  const response = await request('POST', '/v1/tokens', admin.token, { name, scope });
  return createdToken.parse(await response.json()).token;
}

/** Every byte of the database, the write-ahead log with it. */
async function databaseBytes(): Promise<Buffer> {
  const names = (await readdir(target.directory)).filter((name) => name.startsWith('cluster.db'));
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(target.directory, name)))));
}

test('tokens are 256 random bits each, and the database has their SHA-256 alone', async () => {
  const tokens = await Promise.all(['a', 'b', 'c'].map((name) => makeToken(name, 'read')));
  const joinTokens = await Promise.all([admin.joinToken(), admin.joinToken()]);
  const all = [admin.token, ...tokens, ...joinTokens];
  expect(new Set(all).size).toBe(all.length);
  for (const token of all) {
    const [, bits = ''] = /^b[rj]t_([\w-]{43})$/.exec(token) ?? [];
    expect(Buffer.from(bits, 'base64url')).toHaveLength(32);
  }
  const bytes = await databaseBytes();
  const hashes = await Promise.all(all.map(async (token) => (await sha256(token)).replace('sha256:', '')));
  expect(all.filter((token) => bytes.includes(token) || bytes.includes(token.slice(4)))).toEqual([]);
  expect(hashes.filter((hash) => !bytes.includes(hash))).toEqual([]);
  expect(bytes.includes(target.bootstrapSecret)).toBe(false);
});

test('a revoked token opens nothing', async () => {
  const token = await makeToken('gone', 'admin');
  expect((await request('GET', '/v1/hosts', token)).status).toBe(200);
  expect((await request('DELETE', '/v1/tokens/gone', admin.token)).status).toBe(204);
  for (const [method, path] of [
    ['GET', '/v1/hosts'],
    ['POST', '/v1/join-tokens'],
    ['GET', '/v1/events'],
  ] as const) {
    const response = await request(method, path, token, method === 'POST' ? {} : undefined);
    expect({ path, status: response.status }).toEqual({ path, status: 401 });
  }
});

test('of many hosts that join with one token at once, exactly one wins', async () => {
  const token = await admin.joinToken();
  await using known = await TestHost.join(target, admin, 'pattern');
  const { facts } = await admin.host(known.name);
  const join = (index: number) =>
    request('POST', '/v1/hosts/join', token, {
      protocol: 1,
      name: `racer-${index}`,
      publicKey: Buffer.alloc(32, index).toString('base64url'),
      facts,
    });
  const answers = await Promise.all(Array.from({ length: 16 }, (_, index) => join(index)));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  const refusals = await Promise.all(answers.filter(({ status }) => status !== 201).map((answer) => answer.json()));
  expect(refusals.map((body) => (body as { code: string }).code)).toEqual(Array(15).fill('join-token.used'));
  expect((await admin.hosts()).filter(({ name }) => name.startsWith('racer-'))).toHaveLength(1);
});

test('a hello that was heard is refused at another connection: each has a nonce of its own', async () => {
  await using host = await TestHost.join(target, admin, 'replayed');
  const first = await host.dial();
  const { nonce } = await first.next('challenge');
  const hello = await host.hello(nonce);
  first.send(hello);
  await first.next('welcome');
  const second = await host.dial();
  const challenge = await second.next('challenge');
  expect(challenge.nonce).not.toBe(nonce);
  second.send(hello);
  expect((await second.next('refused')).code).toBe('host.bad-signature');
  expect((await second.closed).code).toBe(CLOSE.unauthenticated);
  expect((await admin.host('replayed')).state).toBe('ready'); // the impostor has not pushed it out
  first.terminate();
});

const compose = (name: string, replicas: number): string =>
  `services:\n  web:\n    image: ${TEST_IMAGE}\n    environment: { SECRET: ${name} }\n    deploy: { replicas: ${replicas} }\n`;

test('a host is sent what is assigned to it and no more, and cannot speak for other tasks', async () => {
  await using left = await TestHost.join(target, admin, 'left');
  await using right = await TestHost.join(target, admin, 'right');
  const [one, two] = [await left.connect(), await right.connect()];
  await admin.apply('shared', compose('both', 2));
  await left.until(one, ({ tasks }) => tasks.length === 1);
  await right.until(two, ({ tasks }) => tasks.length === 1);
  const ids = [...left.assignment.tasks, ...right.assignment.tasks].map(({ id }) => id);
  expect(new Set(ids).size).toBe(2);
  // A status for another host's task changes nothing.
  const foreign = { ...statusOf(right.assignment.tasks[0]?.id ?? '', 'failed'), message: 'said by another host' };
  one.send({ kind: 'status', seq: 1, tasks: [foreign] });
  await one.next('ack');
  const task = (await admin.tasks('shared')).find(({ id }) => id === foreign.taskId);
  expect(task).toMatchObject({ state: 'assigned', message: '' });
  expect((await request('GET', '/v1/tasks', left.id)).status).toBe(401);
  await admin.removeStack('shared');
});

test('the grant of a relay is for its one task, its one end and its one use', async () => {
  await using host = await TestHost.join(target, admin, 'granting');
  const channel = await host.connect();
  await admin.apply('relayed', compose('relayed', 2));
  await host.until(channel, ({ tasks }) => tasks.length === 2);
  const [first, second] = host.assignment.tasks;
  const running = [first, second].map((task) => statusOf(task?.id ?? '', 'running'));
  channel.send({ kind: 'status', seq: 1, tasks: running });
  await channel.next('ack');
  const mine = await admin.openRelay({ type: 'exec', taskId: first?.id ?? '' });
  const order = await channel.next('relay');
  // The host is told which task the grant is for; its own end refuses every other (runner/agent/relay-server.test.ts).
  expect(order.grant).toEqual({ type: 'exec', taskId: first?.id });
  const other = await admin.openRelay({ type: 'exec', taskId: second?.id ?? '' });
  expect(await refusedDial(target.url, { path: other.path, token: mine.token })).toMatchObject({ status: 401 });
  expect(await refusedDial(target.url, { path: other.path, token: order.token })).toMatchObject({ status: 401 });
  expect(await refusedDial(target.url, { path: mine.path, token: admin.token })).toMatchObject({ status: 401 });
  expect((await request('GET', '/v1/tasks', mine.token)).status).toBe(401);
  const bytes = await databaseBytes();
  expect(bytes.includes(mine.token) || bytes.includes(order.token)).toBe(false);
  await admin.removeStack('relayed');
});

function statusOf(taskId: string, state: string) {
  return { taskId, state, health: 'none', restarts: 0, message: '', observedAtMs: Date.now() };
}
