import { randomBytes, createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '#shared/errors.ts';
import type { RelayMux } from '#shared/relay/mux.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import { startCannedControlPlane, type CannedHost, type CannedRoute } from '../test/support/canned-control-plane.ts';
import { runCliWith } from '../test/support/run-cli.ts';
import { EXIT } from './exit-code.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-cli-'));
});
afterEach(() => rm(directory, { recursive: true }));

const task = (letter: string, slot: number): object => ({
  id: letter.repeat(20),
  stack: 'hello',
  service: 'web',
  slot,
  state: 'running',
  health: 'none',
  desired: true,
  image: 'hello:1',
  restarts: 0,
  message: '',
  createdAtMs: 1,
});

const host = (name: string, state: string): object => ({
  id: 'h'.repeat(20),
  name,
  state,
  facts: {
    hostname: name,
    os: 'Debian',
    kernel: '6.18',
    architecture: 'amd64',
    cpus: 2,
    memoryBytes: 1,
    controllers: [],
    runnerVersion: '0.1.0',
  },
  images: [],
  tasks: 0,
  joinedAtMs: 1,
  changedAtMs: 1,
  generation: 1,
  appliedGeneration: 1,
});

const routes: Readonly<Record<string, CannedRoute>> = {
  'GET /v1/tasks': () => ({ tasks: [task('a', 1), task('b', 2)], pending: [] }),
  'GET /v1/hosts': () => ({ hosts: [host('alpha', 'ready'), host('beta', 'ready'), host('gamma', 'away')] }),
  'POST /v1/relays': ({ body }) => ({
    relayId: 'r'.repeat(20),
    path: `/v1/relays/${(body as { host?: string; taskId?: string }).host ?? 'task'}`,
    token: 'one-time',
  }),
};

async function berth(onStream: CannedHost, argv: readonly string[], input: string | Uint8Array = '') {
  await using plane = await startCannedControlPlane(routes, onStream);
  return await runCliWith(argv, { environment: { BERTH_URL: plane.url, BERTH_TOKEN: 'brt_x' }, input });
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A host whose command copies its input, says so on stderr, and ends with `exitCode`. */
function echoing(exitCode: number): CannedHost {
  return (stream, mux) => {
    void (async () => {
      const stderr = mux.open({ type: 'stderr', of: stream.id });
      await stderr.write(bytes(`header ${JSON.stringify(stream.header)}\n`));
      await stderr.end();
      for await (const chunk of stream.readable) await stream.write(chunk);
      await stream.end({ exitCode });
    })().catch(() => {}); // the client has gone, or was refused
  };
}

test('exec passes on standard input, both outputs and the exit code', async () => {
  const input = randomBytes(700_000).toString('hex'); // more than the windows
  const argv = ['exec', '-i', '-e', 'A=1', '-u', 'www', '-w', '/srv', 'web.1', 'cat', '-n'];
  const result = await berth(echoing(7), argv, input);
  expect(result.exitCode).toBe(7);
  expect(result.stdout === input).toBe(true);
  expect(JSON.parse(result.stderr.replace('header ', ''))).toEqual({
    type: 'exec',
    taskId: 'a'.repeat(20),
    command: ['cat', '-n'],
    tty: false,
    stdin: true,
    environment: { A: '1' },
    user: 'www',
    workingDirectory: '/srv',
  });
});

test('exec without -i gives the command no input', async () => {
  expect(await berth(echoing(0), ['exec', 'web.1', 'cat'], 'not sent')).toMatchObject({ exitCode: 0, stdout: '' });
});

test.each([
  ['launch.command-not-found', 127],
  ['launch.command-not-executable', 126],
  ['launch.user-unknown', 125],
  ['launch.failed', 125],
])('a command that cannot be run, %s, is %i with the reason of the host', async (code, exitCode) => {
  const refusing: CannedHost = (stream) =>
    stream.reset(new BerthError('invalid', code, 'exec: execute /nope: ENOENT: no such file or directory'));
  expect(await berth(refusing, ['exec', 'web.1', '/nope'])).toEqual({
    exitCode,
    stdout: '',
    stderr: 'berth: exec: execute /nope: ENOENT: no such file or directory\n',
  });
});

test('a relay that breaks is told', async () => {
  const breaking: CannedHost = (_stream, mux) => mux.close(new BerthError('unavailable', 'host.lost', 'host lost'));
  const result = await berth(breaking, ['exec', 'web.1', 'ls']);
  expect(result.exitCode).toBe(EXIT.execFailed);
  expect(result.stderr).toContain('berth: relay: the connection was closed');
});

test('exec -it needs a terminal', async () => {
  const result = await berth(echoing(0), ['exec', '-it', 'web.1', 'sh']);
  expect(result.exitCode).toBe(EXIT.invalid);
  expect(result.stderr).toContain('exec: standard input is not a terminal');
});

/** A host with three lines of log, cut where no line ends, and one on stderr. */
const logging: CannedHost = (stream, mux) => {
  void (async () => {
    const { header } = stream;
    const name = header.type === 'logs' ? header.taskId.charAt(0) : '?';
    const stderr = mux.open({ type: 'stderr', of: stream.id });
    await stderr.write(bytes(`${name} err\n`));
    await stderr.end();
    for (const piece of [`${name} o`, `ne\n${name} two\n${name} th`, 'ree']) await stream.write(bytes(piece));
    await stream.end();
  })().catch(() => {}); // the client has gone
};

test('the log of one task is printed as it is', async () => {
  expect(await berth(logging, ['logs', 'web.1'])).toEqual({
    exitCode: 0,
    stdout: 'a one\na two\na three',
    stderr: 'a err\n',
  });
});

test('the logs of several tasks are whole lines that begin with the task', async () => {
  const { stdout, stderr } = await berth(logging, ['logs', 'hello/web']);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.filter((line) => line.startsWith('hello/web.1'))).toEqual([
    'hello/web.1 | a one',
    'hello/web.1 | a two',
    'hello/web.1 | a three',
  ]);
  expect(lines).toHaveLength(6);
  expect(stderr.trimEnd().split('\n').toSorted()).toEqual(['hello/web.1 | a err', 'hello/web.2 | b err']);
});

test('logs for programs are JSON lines that name task and stream', async () => {
  const { stdout } = await berth(logging, ['logs', 'web.2', '--json', '--tail', '9', '-t']);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toContainEqual({
    task: 'hello/web.2',
    stream: 'stderr',
    line: 'b err',
  });
});

/** A host that takes an archive, and answers with its digest as the image ID. */
function loading(seen: Map<string, string>, fail: (path: string) => boolean = () => false): CannedHost {
  return (stream: RelayStream, _mux: RelayMux, path: string) => {
    void (async () => {
      const name = path.split('/').at(-1) ?? '';
      const hash = createHash('sha256');
      for await (const chunk of stream.readable) {
        if (fail(name)) {
          const message = 'image load: layer sha256:12 is corrupt';
          return stream.reset(new BerthError('invalid', 'image.archive-corrupt', message));
        }
        hash.update(chunk);
      }
      seen.set(name, hash.digest('hex'));
      await stream.write(bytes('{"message":"unpacked"}\n'));
      await stream.end({ images: [{ id: `sha256:${seen.get(name)}`, references: ['docker.io/library/hello:1'] }] });
    })().catch(() => {}); // the client has gone, or was refused
  };
}

const archive = randomBytes(3_000_000);
const archiveDigest = createHash('sha256').update(archive).digest('hex');

test('an archive from standard input goes whole to every ready host, and no temp file stays', async () => {
  const seen = new Map<string, string>();
  const result = await berth(loading(seen), ['image', 'load'], archive);
  expect(result).toMatchObject({
    exitCode: 0,
    stdout: ['alpha', 'beta'].map((name) => `${name}: loaded hello:1 (${archiveDigest.slice(0, 12)})\n`).join(''),
  });
  expect([...seen.values()]).toEqual([archiveDigest, archiveDigest]);
  expect((await readdir(tmpdir())).filter((name) => name.startsWith('berth-load-'))).toEqual([]);
});

test('an archive in a file goes to the named hosts only', async () => {
  const path = join(directory, 'hello.tar');
  await writeFile(path, archive);
  const seen = new Map<string, string>();
  const result = await berth(loading(seen), ['image', 'load', '-i', path, '--host', 'beta', '--json']);
  expect(JSON.parse(result.stdout)).toEqual({
    hosts: [{ host: 'beta', images: [{ id: `sha256:${archiveDigest}`, references: ['docker.io/library/hello:1'] }] }],
  });
  expect([...seen.keys()]).toEqual(['beta']);
});

test('a host that refuses the archive is named with its reason, the others keep theirs', async () => {
  const seen = new Map<string, string>();
  const result = await berth(
    loading(seen, (name) => name === 'alpha'),
    ['image', 'load'],
    archive,
  );
  expect(result.exitCode).toBe(EXIT.invalid);
  expect(result.stderr).toBe('berth: alpha: image load: layer sha256:12 is corrupt\n');
  expect(result.stdout).toMatch(/^beta: loaded hello:1/);
});

test('an archive or a host that is not there is told before anything is sent', async () => {
  const seen = new Map<string, string>();
  const missing = await berth(loading(seen), ['image', 'load', '-i', join(directory, 'none.tar')]);
  expect(missing).toMatchObject({ exitCode: EXIT.notFound });
  expect(missing.stderr).toContain('none.tar: ENOENT');
  const unknown = await berth(loading(seen), ['image', 'load', '--host', 'delta'], archive);
  expect(unknown.stderr).toBe('berth: there is no host "delta"\nhint: See `berth host ls`.\n');
  expect(seen.size).toBe(0);
});
