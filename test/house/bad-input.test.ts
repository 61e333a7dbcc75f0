/*
 * What people and programs get wrong, end to end: the text that they see, and that nothing was half done. Kinds of it
 * that are tested in full elsewhere, and not again here:
 * - every key and form of a Compose file: control-plane/gitops/compose/parse.test.ts
 * - tokens of the API (missing, unknown, expired, revoked, too small a scope): test/conformance/api-suite.ts
 * - the control channel's frames (no JSON, unknown kinds, binary, over the limit, another protocol version, a bad
 *   signature): test/conformance/protocol-suite.ts, and the runner's end of it: runner/agent/agent.test.ts
 * - the relay's rules: test/conformance/relay-suite.ts, shared/relay/mux.test.ts
 * - archives of every kind that do not hold what they promise: runner/image/local-store.test.ts
 * - tars that lead out of their layer: test/security/extract*.test.ts
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FRAME, FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES } from '#shared/relay/frame.ts';
import { dialRelay } from '../conformance/relay-end.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';
import type { Host } from '../support/stage/stage.ts';
import { tar } from '../support/tar.ts';
import { House, IMAGE, service } from './house.ts';

let house: House;
beforeAll(async () => {
  house = await House.open();
});
afterAll(async () => {
  if (process.env['BERTH_TEST_LOG'] !== undefined) process.stderr.write(await house.stage.tails());
  await house[Symbol.asyncDispose]();
});

/** Applies a file that must be refused, and checks that nothing of it is there. */
async function refusedApply(name: string, text: string): Promise<{ exitCode: number; text: string }> {
  const path = await house.compose(name, text);
  const before = await house.ok('ls', '--json');
  const { exitCode, text: said } = await house.refused('apply', '-f', path, '-p', name);
  expect(await house.ok('ls', '--json')).toBe(before);
  expect((await house.admin.taskList()).tasks).toEqual([]);
  return { exitCode, text: said.replaceAll(`${house.stage.directory}/`, '') };
}

test('a Compose file that is no YAML, has an unknown key or a wrong type is told with its line', async () => {
  const broken = await refusedApply('broken', 'services:\n  web:\n    image: [house:1\n');
  expect(broken).toMatchObject({ exitCode: 2, text: expect.stringMatching(/^broken\.yaml:[34]:\d+: /m) });
  const text = `services:\n  web:\n    image: ${IMAGE}\n    volumes: [a]\n    deploy: { replicas: many }\n`;
  const { exitCode, text: said } = await refusedApply('wrong', text);
  expect(exitCode).toBe(2);
  expect(said).toMatch(/^wrong\.yaml:4:5: .*volumes/m);
  expect(said).toMatch(/^wrong\.yaml:5:\d+: .*replicas/m);
});

test('an image that no host has is refused by name', async () => {
  const { exitCode, text } = await refusedApply('ghost', 'services:\n  web:\n    image: ghost:9\n');
  expect(exitCode).toBe(2);
  expect(text).toMatch(/^berth: image ghost:9 of service ghost\/web is on no host$/m);
  expect(text).toMatch(/^hint: .*berth image load/m);
});

test('a port that another stack publishes is refused; the first one keeps it', async () => {
  const ports = ['ports: ["8081:80"]'];
  await house.ok(
    'apply',
    '-f',
    await house.compose('first', `name: first\nservices:\n  web:\n${service({ more: ports })}\n`),
    '--wait',
  );
  const path = await house.compose('second', `services:\n  web:\n${service({ more: ports })}\n`);
  const { exitCode, text } = await house.refused('apply', '-f', path, '-p', 'second');
  expect(exitCode).toBe(5);
  expect(text).toContain('host port 8081/tcp of service second/web is published by service first/web already');
  expect(await house.ok('ls')).not.toContain('second');
  await house.running('first', 1);
  await house.ok('rm', 'first', '--wait');
});

/** A program on a host, no container, that listens on a port of it. */
async function squatter(host: Host, port: number): Promise<AsyncDisposable> {
  const script = `require('net').createServer().listen(${port}, () => console.log('listening'))`;
  const child = spawn('nsenter', [`--net=/run/netns/${host.namespace}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface({ input: child.stdout }), 'line');
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

test('a port that some other program on the hosts has: the task says so, and runs once it is free', async () => {
  const path = await house.compose('squat', `services:\n  web:\n${service({ more: ['ports: ["8082:80"]'] })}\n`);
  {
    await using squatters = new AsyncDisposableStack();
    for (const host of house.stage.hosts) squatters.use(await squatter(host, 8082));
    const { exitCode, text } = await house.refused('apply', '-f', path, '-p', 'squat', '--wait', '--timeout', '60s');
    expect(exitCode).toBe(5);
    expect(text).toMatch(/squat\/web\.1 .*another process of this host uses tcp port 8082/);
  }
  await house.running('squat', 1, 60_000);
  await house.ok('rm', 'squat', '--wait');
});

test('joining: a name that is taken, and a token that is missing, unknown, expired or used', async () => {
  const [host] = house.stage.hosts;
  const dataRoot = join(house.stage.directory, 'newcomer');
  const joining = async (...more: readonly string[]) => {
    const result = await house.stage.berthOn(host, 'runner', 'join', house.stage.url, '--data-root', dataRoot, ...more);
    return { exitCode: result.exitCode, text: result.stderr };
  };
  const names = (await house.admin.hosts()).map(({ name }) => name);
  const token = await house.admin.joinToken();
  expect(await joining('--name', 'gamma')).toMatchObject({
    exitCode: 2,
    text: expect.stringMatching(/--token TOKEN is missing/),
  });
  expect(await joining('--name', 'gamma', '--token', 'bjt_guess')).toMatchObject({
    exitCode: 1,
    text: expect.stringMatching(/token is unknown/),
  });
  expect(await joining('--name', 'Not A Name', '--token', token)).toMatchObject({
    exitCode: 2,
    text: expect.stringMatching(/"Not A Name"/),
  });
  expect(await joining('--name', 'alpha', '--token', token)).toMatchObject({
    exitCode: 1,
    text: expect.stringMatching(/there is a host alpha/),
  });
  const brief = await house.admin.joinToken(1);
  expect(await joining('--name', 'gamma', '--token', brief)).toMatchObject({
    exitCode: 1,
    text: expect.stringMatching(/token expired at 20/),
  });
  expect((await house.admin.hosts()).map(({ name }) => name)).toEqual(names);
  // The refusals have not used the token up; the first success does.
  expect(await joining('--name', 'gamma', '--token', token)).toMatchObject({ exitCode: 0 });
  const another = ['--name', 'delta', '--token', token, '--data-root', `${dataRoot}-2`];
  expect(await joining(...another)).toMatchObject({
    exitCode: 1,
    text: expect.stringMatching(/the join token was used before/),
  });
  await house.ok('host', 'rm', 'gamma');
  expect((await house.admin.hosts()).map(({ name }) => name)).toEqual(names);
});

test('a runner of another protocol may not join, and has not used its token up', async () => {
  const [host] = await house.admin.hosts();
  const request = { name: 'future', publicKey: 'A'.repeat(43), facts: host?.facts };
  await expect(house.admin.join({ ...request, protocol: 2 })).rejects.toMatchObject({
    code: 'protocol.version',
    message: expect.stringMatching(/speaks protocol 2, the control plane .* 1$/),
  });
  expect((await house.admin.hosts()).map(({ name }) => name)).not.toContain('future');
});

/** What the image stores of the hosts hold: names of layers, and of files in the making. */
async function storedFiles(): Promise<readonly string[]> {
  const lists = house.stage.hosts.map(({ dataRoot }) => readdir(join(dataRoot, 'images'), { recursive: true }));
  return (await Promise.all(lists)).flat().filter((name) => name.split('/').length < 3);
}

test('an archive that is damaged, leads out of its layer, or is none is refused by each host, and nothing stays', async () => {
  const files = await storedFiles();
  const damaged = dockerArchive([
    busyboxImage({ reference: 'bad:1', files: [{ name: 'x', content: 'y'.repeat(512) }] }),
  ]);
  damaged[damaged.indexOf('yyyy')] = 0x7a;
  const leading = { ...busyboxImage({ reference: 'bad:1' }), layers: [tar([{ name: '../berth-evil', content: 'x' }])] };
  const cases = [
    ['damaged', damaged, /^berth: .*expected diffID sha256:\w+, found sha256:\w+/m],
    ['leading', dockerArchive([leading]), /\.\.\/berth-evil/],
    ['text', Buffer.from('no image at all\n'.repeat(100)), /found text; accepted are/],
    ['cut', damaged.subarray(0, 100_000), /archive/],
  ] as const;
  for (const [name, bytes, says] of cases) {
    const path = join(house.stage.directory, `${name}.tar`);
    await writeFile(path, bytes);
    const { exitCode, text } = await house.refused('image', 'load', '-i', path);
    expect({ name, exitCode }).toEqual({ name, exitCode: 2 });
    expect(text).toMatch(says);
    for (const host of ['alpha', 'beta']) expect(text).toContain(host);
  }
  expect(await house.ok('image', 'ls')).not.toContain('bad');
  await expect.poll(storedFiles).toEqual(files);
});

test('a relay frame over the limit ends that relay alone', async () => {
  const relay = await house.admin.openRelay({ type: 'image-load', host: 'alpha' });
  const end = await dialRelay(house.stage.url, relay, 'client');
  const stream = end.mux.open({ type: 'image-load' });
  const frame = new Uint8Array(FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES + 1);
  frame.set([FRAME.data, 0, 0, 0, 1]);
  end.socket.send(frame);
  await expect(stream.finished).rejects.toThrow(/code 1009, a frame is over the limit of 65541 bytes/);
  house.stage.assertAlive();
  await expect.poll(async () => (await house.admin.host('alpha')).state).toBe('ready');
});

// The last one: it ends the runner of beta.
test('a host that was removed stops for good, and its containers are replaced', async () => {
  const path = await house.compose('left', `services:\n  web:\n${service({ replicas: 2 })}\n`);
  await house.ok('apply', '-f', path, '-p', 'left', '--wait');
  const before = await house.running('left', 2);
  await house.ok('host', 'rm', 'beta');
  const onAlpha = async (): Promise<true | undefined> => {
    const running = await house.running('left', 2);
    return running.every(({ task }) => task.host?.name === 'alpha') ? true : undefined;
  };
  await house.until('both tasks to run on alpha', onAlpha);
  const said = async (): Promise<true | undefined> =>
    /this host was removed from the cluster/.test(await house.said('beta')) ? true : undefined;
  await house.until('the runner to say so', said);
  // Its key stays refused after a restart, too.
  const beta = house.host('beta');
  await house.daemon('beta').kill();
  const length = (await readFile(house.daemon('beta').logPath, 'utf8')).length;
  house.startRunner(beta);
  const saidAgain = async (): Promise<true | undefined> =>
    (await house.said('beta')).slice(length).includes('this host was removed') ? true : undefined;
  await house.until('the new runner to say so', saidAgain);
  expect((await house.admin.hosts()).map(({ name }) => name)).toEqual(['alpha']);
  expect(before.some(({ task }) => task.host?.name === 'beta')).toBe(true);
  await house.ok('rm', 'left', '--wait');
});
