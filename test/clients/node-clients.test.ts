import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';

const run = promisify(execFile);

let engine: EngineUnderTest;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-clients-'));
  engine = await EngineUnderTest.runner();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** What a job prints, run where the engine publishes its ports. */
async function job(file: string, ...args: string[]): Promise<Record<string, unknown>> {
  const path = join(import.meta.dirname, 'jobs', file);
  const argv = [
    `--net=/run/netns/${engine.namespace}`,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    path,
  ];
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    DOCKER_HOST: `unix://${engine.socketPath}`,
    // Its helper image is in a registry, which these tests do without; they take away what they make.
    TESTCONTAINERS_RYUK_DISABLED: 'true',
  };
  const { stdout } = await run('nsenter', [...argv, ...args], { env, maxBuffer: 2 ** 24 });
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('dockerode: images, streams, names, files, states, events', async () => {
  const archive = join(directory, 'busybox.tar');
  await writeFile(archive, dockerArchive([busyboxImage({ reference: 'busybox:latest' })]));
  const result = await job('dockerode-job.ts', engine.socketPath, archive);
  expect(result).toMatchObject({
    loaded: true,
    run: [4, 'out\n', 'err\n'],
    byName: ['made\n', 0],
    byAlias: ['made\n', 0],
    readOnly: 1,
    copied: ['hello\n', 0],
    archive: true,
    logs: 'out\n',
    paused: 'paused',
    pids: expect.any(Number) as number,
    top: 1,
    committed: [0, 'hello\n'],
    changes: [{ Kind: 1, Path: '/tmp/note' }],
    networkOf: ['harbour'],
    volumes: ['cargo'],
    left: [0, 3],
  });
  expect(result['events']).toEqual(
    expect.arrayContaining([
      'container create',
      'container die',
      'container pause',
      'network connect',
      'volume create',
    ]),
  );
});

test('testcontainers: networks, copies, mounts, waiting, restart', async () => {
  const site = join(directory, 'site');
  await mkdir(site);
  await writeFile(join(site, 'file'), 'from a mount\n');
  expect(await job('testcontainers-job.ts', site)).toEqual({
    copied: 'from a copy\n',
    mounted: 'from a mount\n',
    environment: 'blue\n',
    scratch: '1',
    archive: true,
    restarted: 'from a copy\n',
  });
});
