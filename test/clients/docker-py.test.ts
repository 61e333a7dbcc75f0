import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';
import { runPython } from './python-client.ts';

/** What each step of docker_job.py saw. */
let steps: Readonly<Record<string, unknown>> = {};

beforeAll(async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-docker-py-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const archive = join(directory, 'image.tar');
  await writeFile(archive, dockerArchive([busyboxImage({ reference: 'busybox:latest' })]));
  const engine = stack.use(await EngineUnderTest.runner());
  const program = join(import.meta.dirname, 'docker_job.py');
  const { exitCode, stdout, stderr } = await runPython(engine.socketPath, [program, archive]);
  if (exitCode !== 0) throw new Error(`docker_job.py: ${exitCode}\n${stderr}`);
  steps = JSON.parse(stdout) as typeof steps;
});

const notFound = ['NotFound', 404];

describe('docker-py', () => {
  test('asks for version and information', () => {
    expect(steps['system']).toEqual({ ping: true, os: 'linux', containers: 0, driver: true });
  });

  test('loads and tags an image', () => {
    expect(steps['load']).toEqual({
      tags: [['busybox:latest']],
      found: ['busybox:latest', 'job/base:1'],
      missing: ['ImageNotFound', 404],
    });
  });

  test('makes a network and a volume', () => {
    expect(steps['network_and_volume']).toEqual({
      network: ['job-net'],
      volume: ['job-vol'],
      driver: ['bridge', 'local'],
      taken: ['APIError', 409],
    });
  });

  test('runs containers to their end, with both streams and the exit code', () => {
    expect(steps['run_to_the_end']).toEqual({
      both: 'out\nerr\n',
      lines: ['1\n', '2\n', '3\n'],
      failed: [3, 'wrong\n'],
      image: true,
    });
  });

  test('runs a server on the network, with the volume', () => {
    expect(steps['serve']).toEqual({
      status: 'running',
      listed: ['job-web'],
      mounts: [['volume', 'job-vol', '/data']],
      networks: ['job-net'],
      published: true,
    });
  });

  test('reaches it by its name', () => {
    expect(steps['names']).toEqual({ fetched: 'served\n', kept: 'served\n' });
  });

  test('connects and disconnects a running container', () => {
    expect(steps['connect']).toEqual({
      answer: [0, 'served\n'],
      reached: 0,
      networks: ['bridge'],
      gone: true,
    });
  });

  test('executes programs, with variables, user, directory, streams and input', () => {
    expect(steps['execute']).toEqual({
      plain: [4, 'ahoy x 65534 /tmp\n'],
      demux: ['o\n', 'e\n'],
      stream: '1\n2\n3\n',
      socket: 'through\n',
    });
  });

  test('follows logs, and reads their end, one stream and times', () => {
    const early = 'line 1\nline 2\nline 3\nline 4\nline 5\n';
    expect(steps['logs']).toEqual({
      followed: expect.stringMatching(/^[^]*later\n$/) as string,
      tail: 'late\nlater\n',
      errors: 'last\n',
      stamped: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z later\n$/) as string,
    });
    const { followed } = steps['logs'] as { followed: string };
    expect(followed.replace('last\n', '')).toBe(`${early}late\nlater\n`);
  });

  test('attaches to standard input', () => {
    expect(steps['attach']).toEqual({ wait: 0, output: 'got a line\n' });
  });

  test('puts an archive in and gets one out', () => {
    expect(steps['archives']).toEqual({
      put: true,
      inside: 'written from outside\n640\n',
      stat: 'cargo',
      listed: ['cargo', 'cargo/note.txt'],
      text: 'written from outside\n',
      missing: notFound,
    });
  });

  test('reads statistics and processes', () => {
    expect(steps['stats_and_top']).toEqual({
      keys: true,
      id: true,
      processes: [expect.stringContaining('httpd -f -p 80') as string],
    });
  });

  test('commits a container to an image and runs that', () => {
    expect(steps['commit']).toEqual({
      diff: 1,
      output: 'written from outside\n',
      environment: true,
      comment: 'with a note',
      removed: ['ImageNotFound', 404],
    });
  });

  test('renames, pauses, restarts, kills, starts and stops', () => {
    expect(steps['lifecycle']).toEqual({
      paused: 'paused',
      restarted: ['job-renamed', 'running'],
      code: 137,
      killed: 'exited',
      again: ['APIError', 409],
      stopped: 'exited',
    });
  });

  test('waits for an end and for a removal', () => {
    expect(steps['wait_for_the_end']).toEqual({ code: 6, removed: 6 });
  });

  test('removes everything', () => {
    expect(steps['remove']).toEqual({
      busy: ['APIError', 403],
      container: notFound,
      network: notFound,
      volume: notFound,
      left: [],
      not_found: true,
    });
  });

  test('was told of each event', () => {
    const { own, kinds, codes } = steps['told_events'] as Record<'own' | 'kinds' | 'codes', string[]>;
    expect(own?.slice(0, 2)).toEqual(['create', 'start']);
    for (const action of ['rename', 'pause', 'unpause', 'restart', 'kill', 'die', 'stop', 'destroy']) {
      expect(own).toContain(action);
    }
    expect(kinds).toEqual(expect.arrayContaining(['container', 'image', 'network', 'volume']));
    expect(codes).toEqual(expect.arrayContaining(['0', '3', '6', '137']));
  });
});
