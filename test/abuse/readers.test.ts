import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { waitUntil } from '../support/stage/wait-until.ts';
import { call } from '../support/call-socket.ts';
import { descriptorsAreBack, holdingsOf } from '../support/process-holdings.ts';
import { beginAndVanish, longRequests, stalledClient } from './stalled-client.ts';

const deadlineMs = 120_000;
const MiB = 1024 * 1024;

let engine: EngineUnderTest;
const stalled: Socket[] = [];

beforeAll(async () => {
  engine = await EngineUnderTest.runner();
});
afterEach(() => {
  for (const socket of stalled.splice(0)) socket.destroy();
});
afterAll(() => engine[Symbol.asyncDispose]());

/** A container with a large file, that has logged some, runs this script then; its id. */
async function container(script: string, logBytes = 4 * MiB): Promise<string> {
  const before = `yes chatter | head -c ${logBytes}; head -c ${16 * MiB} /dev/zero > /large; : > /ready`;
  const { stdout, stderr } = await engine.run({ args: ['run', '-d', 'busybox', 'sh', '-c', `${before}; ${script}`] });
  const id = stdout.trim();
  const isReady = async (): Promise<true> => {
    const { status } = await call(engine.socketPath, 'HEAD', `/containers/${id}/archive?path=/ready`);
    if (status === 200) return true;
    throw new Error(`${status} ${stderr}`);
  };
  await waitUntil('the container to be ready', isReady, { deadlineMs, signal: AbortSignal.timeout(deadlineMs) });
  return id;
}

/** Clients that have all stopped reading in the middle of their answers; of `wait`, nothing has come yet. */
async function stall(id: string, without: readonly string[] = []): Promise<void> {
  for (const [name, request] of Object.entries(longRequests(id))) {
    if (name === 'wait' || name === 'events' || without.includes(name)) continue;
    stalled.push(await stalledClient(engine.socketPath, request));
  }
}

async function stateOf(id: string): Promise<unknown> {
  const { body } = await call(engine.socketPath, 'GET', `/containers/${id}/json`);
  return (body as { State: unknown }).State;
}

test('clients that vanish in the middle of an answer cost nothing', async () => {
  const id = await container('while :; do echo chatter chatter chatter; sleep 0.01; done');
  const held = await holdingsOf(engine.pid);
  for (let index = 0; index < 25; index += 1) {
    const requests = Object.values(longRequests(id));
    await Promise.all(requests.map((request) => beginAndVanish(engine.socketPath, request, index % 2 === 1)));
  }
  // What is opened at first use stays open; one that any kind of request leaves behind would be there 25 times.
  await descriptorsAreBack(engine.pid, held.descriptors + 10);
  expect((await call(engine.socketPath, 'DELETE', `/containers/${id}?force=1`)).status).toBe(204);
});

test('a client that vanishes while it sends an archive leaves the container in order', async () => {
  const id = await container('sleep 100000');
  const held = await holdingsOf(engine.pid);
  const head = `PUT /containers/${id}/archive?path=/tmp HTTP/1.1\r\nHost: d\r\nContent-Length: 1000000\r\n\r\n`;
  for (let index = 0; index < 10; index += 1) {
    const socket = connect(engine.socketPath);
    socket.on('error', () => undefined);
    socket.write(head);
    await new Promise((resolve) => socket.write(Buffer.alloc(index * 10_000), resolve));
    socket.destroy();
  }
  await descriptorsAreBack(engine.pid, held.descriptors);
  expect(await stateOf(id)).toMatchObject({ Running: true });
  expect((await call(engine.socketPath, 'DELETE', `/containers/${id}?force=1`)).status).toBe(204);
});

test('readers that stall do not delay an exit, nor the removal after it', async () => {
  const id = await container('while [ ! -e /tmp/go ]; do sleep 0.01; done; yes chatter | head -c 4000000; exit 7');
  // An attached client that does not read is waited for, as by dockerd.
  await stall(id, ['attach', 'attach by websocket']);
  const waited = call(engine.socketPath, 'POST', `/containers/${id}/wait`);
  expect((await engine.run({ args: ['exec', id, 'touch', '/tmp/go'] })).exit).toBe(0);
  expect(await waited).toMatchObject({ status: 200, body: { StatusCode: 7 } });
  expect((await call(engine.socketPath, 'DELETE', `/containers/${id}`)).status).toBe(204);
});

test('readers that stall delay neither stop nor removal', async () => {
  const id = await container('trap "exit 3" TERM; while :; do head -c 65536 /dev/zero; done');
  await stall(id);
  expect((await call(engine.socketPath, 'POST', `/containers/${id}/stop?t=100`)).status).toBe(204);
  expect(await stateOf(id)).toMatchObject({ ExitCode: 3 }); // not 137: it has ended by itself in time
  expect((await call(engine.socketPath, 'DELETE', `/containers/${id}`)).status).toBe(204);
});

test('readers that stall delay neither kill nor removal', async () => {
  const id = await container('while :; do head -c 65536 /dev/zero; done');
  await stall(id);
  const waited = call(engine.socketPath, 'POST', `/containers/${id}/wait`);
  expect((await call(engine.socketPath, 'POST', `/containers/${id}/kill`)).status).toBe(204);
  expect(await waited).toMatchObject({ body: { StatusCode: 137 } });
  expect((await call(engine.socketPath, 'DELETE', `/containers/${id}`)).status).toBe(204);
});

test('readers that stall do not delay a removal by force', async () => {
  const id = await container('while :; do head -c 65536 /dev/zero; done');
  await stall(id);
  expect((await call(engine.socketPath, 'DELETE', `/containers/${id}?force=1`)).status).toBe(204);
});

test('readers of logs, statistics and events that stall cost bounded memory; one of events is cut off', async () => {
  const id = await container('while :; do yes chatter | head -c 100000; sleep 0.1; done', 32 * MiB);
  const { logs = '', stats = '', events = '' } = longRequests(id);
  const held = await holdingsOf(engine.pid);
  for (let index = 0; index < 16; index += 1) {
    for (const request of [logs, stats]) stalled.push(await stalledClient(engine.socketPath, request));
  }
  const readers = Array.from({ length: 16 }, () => {
    const socket = connect(engine.socketPath);
    socket.on('error', () => undefined);
    socket.write(`${events}\r\n\r\n`);
    return socket;
  });
  stalled.push(...readers);
  const tell = async (): Promise<void> => {
    for (let index = 0; index < 800; index += 1) {
      const { status } = await call(engine.socketPath, 'POST', '/images/busybox/tag?repo=again&tag=1');
      if (status !== 201) throw new Error(`tag: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, tell)); // more events than wait for a reader, and lie in its socket
  const grown = (await holdingsOf(engine.pid)).memoryBytes - held.memoryBytes;
  expect(grown, 'memory of stalled readers').toBeLessThan(192 * MiB); // their logs alone are 16 times 32 MiB
  for (const socket of readers) await once(socket.resume(), 'close');
  expect((await call(engine.socketPath, 'DELETE', `/containers/${id}?force=1`)).status).toBe(204);
});
