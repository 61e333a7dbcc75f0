import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { Random } from '../support/random.ts';
import { sendBytes, statusOf } from '../support/send-bytes.ts';
import { call } from '../support/call-socket.ts';
import { descriptorsAreBack, holdingsOf } from '../support/process-holdings.ts';
import { malformedRequest, type Existing, type MalformedRequest } from './malformed-request.ts';
import { escapedName } from './malformed-values.ts';

const seed = Number(process.env['BERTH_ABUSE_SEED'] ?? 1);
const count = Number(process.env['BERTH_ABUSE_REQUESTS'] ?? 2000);
const atOnce = 8;
const answerMs = 120_000;

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

  const escaped = ['/', '/tmp', '/root', process.cwd()].map((directory) => join(directory, escapedName));
  expect(escaped.filter((path) => existsSync(path))).toEqual([]);
  expect(await call(engine.socketPath, 'GET', '/_ping')).toMatchObject({ status: 200 });
  expect(await names()).toEqual(before);
  const bystander = await call(engine.socketPath, 'GET', `/containers/${existing.container}/json`);
  expect(bystander.body).toMatchObject({ State: { Running: true }, RestartCount: 0 });
  await descriptorsAreBack(engine.pid, held.descriptors);
  const after = await holdingsOf(engine.pid);
  expect(after.memoryBytes - held.memoryBytes, 'memory that was not given back').toBeLessThan(128 * 1024 * 1024);
});
