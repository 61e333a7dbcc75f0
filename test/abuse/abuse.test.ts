import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { Random } from '../support/random.ts';
import { waitUntil } from '../support/stage/wait-until.ts';
import { call, holdingsOf, sendBytes, statusOf } from './engine-daemon.ts';
import { malformedRequest, type Existing, type MalformedRequest } from './malformed-request.ts';

const seed = Number(process.env['BERTH_ABUSE_SEED'] ?? 1);
const count = Number(process.env['BERTH_ABUSE_REQUESTS'] ?? 2000);
const atOnce = 8;
const answerMs = 60_000;

let engine: EngineUnderTest;
let existing: Existing;

beforeAll(async () => {
  engine = await EngineUnderTest.runner();
  const { stdout } = await engine.run({ args: ['run', '-d', '--name', 'bystander', 'busybox', 'sleep', '100000'] });
  existing = { container: stdout.trim(), image: 'busybox:latest' };
});
afterAll(() => engine[Symbol.asyncDispose]());

async function names(): Promise<unknown> {
  const answers = await Promise.all(
    ['/containers/json?all=1', '/images/json', '/networks', '/volumes'].map((path) =>
      call(engine.socketPath, 'GET', path),
    ),
  );
  const [containers, images, networks, volumes] = answers.map(({ body }) => body) as [
    { Id: string }[],
    { Id: string }[],
    { Id: string }[],
    { Volumes: { Name: string }[] | null },
  ];
  return [containers, images, networks]
    .map((list) => list.map(({ Id }) => Id))
    .concat([(volumes.Volumes ?? []).map(({ Name }) => Name)]);
}

/** Why an answer is wrong; undefined when it is right. */
function complaint(request: MalformedRequest, answer: Buffer): string | undefined {
  const status = statusOf(answer);
  if (status === undefined) {
    return request.mayGoUnanswered ? undefined : `no answer (${answer.byteLength} bytes)`;
  }
  // 501: not in this version; 503: a node in no swarm. Both refuse.
  if ((status >= 400 && status < 500) || status === 501 || status === 503) return undefined;
  // What streams has said 200 before it could know; dockerd does the same.
  if (status === 200 && answer.includes('"errorDetail"')) return undefined;
  if (status === 200 && request.mayGoUnanswered && !answer.toString('latin1').endsWith('0\r\n\r\n')) return undefined; // cut
  return `${status} ${answer.toString('latin1').split('\r\n\r\n').slice(1).join(' ').slice(0, 200)}`;
}

test(`${count} malformed requests are refused one by one, and leave the daemon as it was`, async () => {
  const random = new Random(seed);
  const requests = Array.from({ length: count }, (_, index) => malformedRequest(index, random, existing));
  const before = await names();
  const held = await holdingsOf(engine.pid);

  const complaints: string[] = [];
  const queue = [...requests.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, request] = next;
      const answer = await sendBytes(engine.socketPath, request.bytes, {
        halfClose: request.isCutOff,
        timeoutMs: answerMs,
      }).catch((error: Error) => error);
      const wrong = answer instanceof Error ? answer.message : complaint(request, answer);
      if (wrong !== undefined) complaints.push(`#${index} ${request.kind}: ${request.line}: ${wrong}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  expect(complaints).toEqual([]);

  expect(await call(engine.socketPath, 'GET', '/_ping')).toMatchObject({ status: 200 });
  expect(await names()).toEqual(before);
  const bystander = await call(engine.socketPath, 'GET', `/containers/${existing.container}/json`);
  expect(bystander.body).toMatchObject({ State: { Running: true }, RestartCount: 0 });
  await descriptorsAreBack(held.descriptors);
  const after = await holdingsOf(engine.pid);
  expect(after.memoryBytes - held.memoryBytes, 'memory that was not given back').toBeLessThan(128 * 1024 * 1024);
});

/** Connections end a moment after their clients have seen it. */
function descriptorsAreBack(descriptors: number): Promise<unknown> {
  const isBack = async (): Promise<true> => {
    const now = await holdingsOf(engine.pid);
    if (now.descriptors <= descriptors + 2) return true;
    throw new Error(`${now.descriptors} descriptors are open, ${descriptors} were before`);
  };
  return waitUntil('the descriptors to be closed', isBack, {
    deadlineMs: answerMs,
    signal: AbortSignal.timeout(answerMs),
  });
}

/** Requests whose answers go on, for a client that goes away in their middle. */
const endless = (id: string): readonly string[] => [
  `POST /containers/${id}/attach?stream=1&stdout=1&stderr=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp`,
  `GET /containers/${id}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d`,
  `GET /containers/${id}/stats?stream=1 HTTP/1.1\r\nHost: d`,
  `GET /containers/${id}/export HTTP/1.1\r\nHost: d`,
  `GET /containers/${id}/archive?path=/ HTTP/1.1\r\nHost: d`,
  `GET /events HTTP/1.1\r\nHost: d`,
  `POST /containers/${id}/wait HTTP/1.1\r\nHost: d\r\nContent-Length: 0`,
  `GET /images/busybox/get HTTP/1.1\r\nHost: d`,
];

/** Goes away when it has sent its request, or (`afterFirstBytes`) in the middle of the answer. */
async function beginAndVanish(request: string, afterFirstBytes: boolean): Promise<void> {
  const socket = connect(engine.socketPath);
  const sent = new Promise<void>((resolve) => socket.write(`${request}\r\n\r\n`, () => resolve()));
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined); // close follows
  await Promise.race([sent, over]);
  if (afterFirstBytes) await Promise.race([once(socket, 'data'), over]);
  socket.destroy();
}

test('clients that vanish in the middle of an answer cost nothing', async () => {
  const { stdout } = await engine.run({
    args: ['run', '-d', 'busybox', 'sh', '-c', 'while :; do echo chatter chatter chatter; sleep 0.01; done'],
  });
  const id = stdout.trim();
  const held = await holdingsOf(engine.pid);
  for (let index = 0; index < 25; index += 1) {
    await Promise.all(endless(id).map((request) => beginAndVanish(request, index % 2 === 1)));
  }
  await descriptorsAreBack(held.descriptors);
  const { status } = await call(engine.socketPath, 'DELETE', `/containers/${id}?force=1`);
  expect(status).toBe(204);
});

test('readers that stall delay neither stop nor removal', async () => {
  const { stdout } = await engine.run({
    args: ['run', '-d', 'busybox', 'sh', '-c', 'trap "exit 3" TERM; while :; do head -c 65536 /dev/zero; done'],
  });
  const id = stdout.trim();
  const stalled = endless(id).map((request) => {
    const socket = connect(engine.socketPath);
    socket.on('error', () => undefined);
    socket.write(`${request}\r\n\r\n`);
    socket.pause();
    return socket;
  });
  const stopped = await call(engine.socketPath, 'POST', `/containers/${id}/stop?t=5`);
  expect(stopped.status).toBe(204);
  const removed = await call(engine.socketPath, 'DELETE', `/containers/${id}`);
  expect(removed.status).toBe(204);
  for (const socket of stalled) socket.destroy();
});
