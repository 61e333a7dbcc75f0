import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '#shared/errors.ts';
import { startCannedControlPlane, type CannedRoute } from '../test/support/canned-control-plane.ts';
import { runCliWith } from '../test/support/run-cli.ts';
import { EXIT } from './exit-code.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-cli-'));
});
afterEach(() => rm(directory, { recursive: true }));

const id = (letter: string): string => letter.repeat(20);
const web = {
  id: id('a'),
  stack: 'hello',
  service: 'web',
  slot: 1,
  host: { id: id('h'), name: 'alpha' },
  state: 'running',
  health: 'healthy',
  desired: true,
  image: 'docker.io/library/hello:1',
  address: '10.1.0.2',
  restarts: 0,
  message: '',
  createdAtMs: Date.now(),
};
const digest = `sha256:${'0'.repeat(64)}`;
const service = (name: string, replicas: number, runningReplicas: number): object => ({
  id: id('s'),
  stack: 'hello',
  spec: { name, replicas, container: { image: 'hello:1' } },
  runningReplicas,
});

/** What `--wait` asks first: when the current revision was applied. */
const stackRoute: Record<string, CannedRoute> = {
  'GET /v1/stacks/hello': () => ({
    name: 'hello',
    revision: 1,
    digest,
    message: '',
    appliedAtMs: web.createdAtMs,
    appliedBy: 'admin',
    services: 1,
    runningReplicas: 0,
    desiredReplicas: 1,
    config: { name: 'hello', services: [{ name: 'web', replicas: 1, container: { image: 'hello:1' } }] },
  }),
};

/** One run against answers that the test chooses. */
async function berth(routes: Readonly<Record<string, CannedRoute>>, argv: readonly string[], input = '') {
  await using plane = await startCannedControlPlane(routes);
  const environment = { BERTH_URL: plane.url, BERTH_TOKEN: 'brt_x', BERTH_CONFIG: join(directory, 'config.json') };
  const result = await runCliWith(argv, { environment, input, workingDirectory: directory });
  return { ...result, requests: plane.requests, url: plane.url };
}

test('ps prints a table for people, and JSON for programs', async () => {
  const pending = [{ stack: 'hello', service: 'web', slot: 2, reason: 'no host is ready' }];
  const routes = { 'GET /v1/tasks': () => ({ tasks: [web], pending }) };
  const people = await berth(routes, ['ps']);
  expect(people).toMatchObject({ exitCode: 0, stderr: 'hello/web.2 waits for a host: no host is ready\n' });
  expect(people.stdout.replaceAll(/ +/g, ' ')).toBe(
    'TASK HOST STATE IMAGE ADDRESS RESTARTS AGE ID MESSAGE\n' +
      `hello/web.1 alpha running (healthy) hello:1 10.1.0.2 0 0s ${id('a')}\n`,
  );
  expect(people.requests[0]?.token).toBe('brt_x');
  const programs = await berth(routes, ['ps', '--json']);
  expect(JSON.parse(programs.stdout)).toEqual({ tasks: [web], pending });
});

test('every kind of refusal has its exit code, its text and its remedy', async () => {
  const refuse = async (kind: ConstructorParameters<typeof BerthError>[0]): Promise<number> => {
    const routes = {
      'GET /v1/hosts': () => {
        throw new BerthError(kind, 'some.code', 'what failed', { remedy: 'Do this.' });
      },
    };
    const result = await berth(routes, ['host', 'ls']);
    expect(result.stderr).toBe('berth: what failed\nhint: Do this.\n');
    return result.exitCode;
  };
  expect(await refuse('invalid')).toBe(EXIT.invalid);
  expect(await refuse('too-large')).toBe(EXIT.invalid);
  expect(await refuse('not-found')).toBe(EXIT.notFound);
  expect(await refuse('unauthenticated')).toBe(EXIT.denied);
  expect(await refuse('forbidden')).toBe(EXIT.denied);
  expect(await refuse('conflict')).toBe(EXIT.conflict);
  expect(await refuse('unavailable')).toBe(EXIT.unavailable);
  expect(await refuse('internal')).toBe(EXIT.failure);
});

test('a refused token says how to log in again; with --json the error is JSON', async () => {
  const routes = {
    'GET /v1/hosts': () => {
      throw new BerthError('unauthenticated', 'token.invalid', 'the token is not valid');
    },
  };
  const people = await berth(routes, ['host', 'ls']);
  expect(people.stderr).toBe(
    `berth: the token is not valid\nhint: Log in again: berth login ${people.url} --token-stdin\n`,
  );
  const programs = await berth(routes, ['host', 'ls', '--json']);
  expect(JSON.parse(programs.stderr)).toMatchObject({ error: { kind: 'unauthenticated', code: 'token.invalid' } });
});

test('a control plane that is not there, a name that is unknown, and plain HTTP behind https are told apart', async () => {
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const run = (url: string) => runCliWith(['ls'], { environment: { BERTH_URL: url } });
  try {
    const tls = await run(`https://127.0.0.1:${port}`);
    expect(tls).toMatchObject({ exitCode: EXIT.unavailable });
    expect(tls.stderr).toMatch(/no trusted TLS connection: .*\nhint: The port .*http:\/\//);
    const other = await run(`http://127.0.0.1:${port}`);
    expect(other.stderr).toContain('did not answer as a control plane of version');
  } finally {
    server.close();
    await once(server, 'close');
  }
  const nobody = await run(`http://127.0.0.1:${port}`);
  expect(nobody).toMatchObject({ exitCode: EXIT.unavailable });
  expect(nobody.stderr).toMatch(/cannot be reached: .*ECONNREFUSED.*\nhint: Nothing listens there: start it/);
  const unknown = await run('http://nowhere.invalid');
  expect(unknown.stderr).toContain('hint: The name is not known');
});

test('login tries the token before it stores it, and bootstraps a new cluster', async () => {
  const created = { id: id('t'), name: 'admin', scope: 'admin', createdAtMs: 1, token: 'brt_first' };
  const routes: Record<string, CannedRoute> = {
    'POST /v1/bootstrap': () => created,
    'GET /v1/stacks': ({ token }) => {
      if (token === 'brt_first') return { stacks: [] };
      throw new BerthError('unauthenticated', 'token.invalid', 'the token is not valid');
    },
  };
  await using plane = await startCannedControlPlane(routes);
  const environment = { BERTH_CONFIG: join(directory, 'config.json') };
  const login = (...more: readonly string[]) =>
    runCliWith(['login', plane.url, ...more], { environment, input: 'brt_wrong\n' });
  expect(await login()).toMatchObject({ exitCode: EXIT.invalid });
  expect(await login('--token-stdin')).toMatchObject({ exitCode: EXIT.denied });
  await expect(readFile(environment.BERTH_CONFIG)).rejects.toThrow('ENOENT');
  expect(await login('--bootstrap', 'secret', '--name', 'here')).toMatchObject({ exitCode: 0, stdout: '' });
  expect(plane.requests.find((request) => request.path === '/v1/bootstrap')?.token).toBe('secret');
  const contexts = await runCliWith(['context', 'ls', '--json'], { environment });
  expect(JSON.parse(contexts.stdout)).toEqual({ contexts: [{ name: 'here', url: plane.url, current: true }] });
  expect(await runCliWith(['ls'], { environment })).toMatchObject({ exitCode: 3 }); // the token is found; no such route
});

test('the first token of a cluster is not lost when it cannot be stored', async () => {
  const token = `brt_${'t'.repeat(43)}`;
  const routes = {
    'POST /v1/bootstrap': () => ({ id: id('t'), name: 'admin', scope: 'admin', createdAtMs: 1, token }),
    'GET /v1/stacks': () => ({ stacks: [] }),
  };
  await using plane = await startCannedControlPlane(routes);
  await writeFile(join(directory, 'file'), '');
  const environment = { BERTH_CONFIG: join(directory, 'file', 'config.json') };
  const result = await runCliWith(['login', plane.url, '--bootstrap', 's'], { environment });
  expect(result.exitCode).toBe(EXIT.failure);
  expect(result.stderr).toContain('berth: the first token was made, but could not be stored: ');
  expect(result.stderr).toContain(`log in with --token-stdin: ${token}\n`);
});

test("what is wrong in a Compose file is told at the user's own file and line", async () => {
  await writeFile(join(directory, 'my.yaml'), 'name: hello\n');
  const routes = {
    'PUT /v1/stacks/hello': () => {
      throw new BerthError('invalid', 'compose.invalid', 'the Compose file has 1 mistake', {
        locations: [{ path: 'compose.yaml', line: 3, column: 5, message: 'services.web has no key "imagee"' }],
      });
    },
  };
  const result = await berth(routes, ['apply', '-f', 'my.yaml']);
  expect(result).toMatchObject({
    exitCode: EXIT.invalid,
    stdout: '',
    stderr: 'berth: my.yaml is not applied: 1 mistake\nmy.yaml:3:5: services.web has no key "imagee"\n',
  });
});

test('apply --wait returns when every replica runs', async () => {
  await writeFile(join(directory, 'compose.yaml'), 'services: {}\n');
  let running = 0;
  const routes: Record<string, CannedRoute> = {
    ...stackRoute,
    'PUT /v1/stacks/hello': () => ({
      stack: 'hello',
      revision: 2,
      digest,
      changed: true,
      services: [{ service: 'web', change: 'updated' }],
    }),
    'GET /v1/services': () => ({ services: [service('web', 2, running)] }),
    'GET /v1/tasks': () => ({ tasks: [web], pending: [] }),
    'GET /v1/events': ({ query }) => {
      if (query.has('waitMs')) running += 1;
      return { events: [], cursor: 7 };
    },
  };
  const result = await berth(routes, ['apply', '--stack', 'hello', '--message', 'why', '--wait']);
  expect(result.exitCode).toBe(0);
  expect(result.stdout).toBe('stack hello: revision 2 applied\n  web: updated\n');
  expect(result.stderr).toBe('All of hello runs. Next: berth ps hello\n');
  expect(running).toBe(2);
  expect(result.requests[0]?.body).toEqual({ compose: 'services: {}\n', message: 'why', overrideName: true });
});

test('apply --wait tells what is missing when the time is over', async () => {
  const stuck = { ...web, state: 'rejected', message: 'image hello:1 is not on this host' };
  const routes: Record<string, CannedRoute> = {
    ...stackRoute,
    'PUT /v1/stacks/hello': () => ({ stack: 'hello', revision: 1, digest, changed: true, services: [] }),
    'GET /v1/services': () => ({ services: [service('web', 1, 0)] }),
    'GET /v1/tasks': () => ({ tasks: [stuck], pending: [] }),
    'GET /v1/events': () => ({ events: [], cursor: 7 }),
  };
  const argv = ['apply', '-f', '-', '--stack', 'hello', '--wait', '--timeout', '10ms'];
  const result = await berth(routes, argv, 'services: {}');
  expect(result.exitCode).toBe(EXIT.unavailable);
  expect(result.stderr).toBe(
    'berth: stack hello does not run as asked after 0.01 s\n' +
      'hello: web: 0 of 1 run\n' +
      'hello: hello/web.1 is rejected on alpha: image hello:1 is not on this host\n' +
      'hint: See `berth ps hello` and `berth events`; the control plane goes on trying.\n',
  );
});

test('--wait gives up at once when a replica cannot run, and takes a finished one for done', async () => {
  const rejected = { ...web, state: 'rejected', message: 'port 8080/tcp is taken' };
  const once = (restart: string): object => ({
    ...service('web', 1, 0),
    spec: { name: 'web', replicas: 1, container: { image: 'hello:1', restart: { kind: restart } } },
  });
  const wait = (tasks: readonly object[], restart: string) => {
    const routes: Record<string, CannedRoute> = {
      ...stackRoute,
      'PUT /v1/stacks/hello': () => ({ stack: 'hello', revision: 1, digest, changed: true, services: [] }),
      'GET /v1/services': () => ({ services: [once(restart)] }),
      'GET /v1/tasks': () => ({ tasks, pending: [] }),
      'GET /v1/events': () => ({ events: [], cursor: 7 }),
    };
    return berth(routes, ['apply', '-f', '-', '-p', 'hello', '--wait', '--timeout', '50ms'], 'services: {}');
  };
  const tries = ['b', 'c'].map((letter) => ({ ...rejected, id: id(letter), desired: false }));
  expect(await wait([...tries, rejected], 'always')).toMatchObject({
    exitCode: EXIT.conflict,
    stderr:
      'berth: stack hello cannot run as asked\n' +
      'hello: hello/web.1 is rejected on alpha: port 8080/tcp is taken\n' +
      'hint: Correct what is named and apply again; see `berth ps -a hello`.\n',
  });
  expect(await wait(tries.slice(1).concat(rejected), 'always')).toMatchObject({ exitCode: EXIT.unavailable });
  const failed = { ...web, state: 'failed', message: 'exited with 1', exitCode: 1 };
  expect(await wait([failed], 'no')).toMatchObject({ exitCode: EXIT.conflict });
  expect(await wait([{ ...failed, createdAtMs: 1 }], 'no')).toMatchObject({ exitCode: EXIT.unavailable });
  expect(await wait([{ ...web, state: 'complete' }], 'no')).toMatchObject({ exitCode: EXIT.ok });
});

test('scale finds the stack of a service, and refuses what it does not know before it changes anything', async () => {
  const routes: Record<string, CannedRoute> = {
    'GET /v1/services': () => ({ services: [service('web', 1, 1)] }),
    'POST /v1/stacks/hello/services/web/scale': () => ({
      stack: 'hello',
      revision: 5,
      digest,
      changed: true,
      services: [],
    }),
  };
  const done = await berth(routes, ['scale', 'web=3']);
  expect(done).toMatchObject({ exitCode: 0, stdout: 'hello/web: 3 (revision 5)\n' });
  expect(done.requests.at(-1)?.body).toEqual({ replicas: 3 });
  const unknown = await berth(routes, ['scale', 'web=3', 'db=1']);
  expect(unknown).toMatchObject({ exitCode: EXIT.notFound });
  expect(unknown.requests.map((request) => request.method)).toEqual(['GET']);
  expect(await berth(routes, ['scale', 'web=many'])).toMatchObject({ exitCode: EXIT.invalid });
});

test('events end at the newest, or follow the cursor until interrupted', async () => {
  const event = (n: number) => ({
    id: n,
    atMs: 0,
    kind: 'stack.applied',
    subject: { stack: 'hello' },
    message: `revision ${n}`,
    cause: { kind: 'token', tokenId: id('t'), name: 'admin' },
  });
  const stop = new AbortController();
  await using plane = await startCannedControlPlane({
    'GET /v1/events': ({ query }) => {
      const after = Number(query.get('after') ?? 0);
      if (after === 2) stop.abort();
      return { events: [event(after + 1)], cursor: after + 1 };
    },
  });
  const environment = { BERTH_URL: plane.url };
  const once = await runCliWith(['events'], { environment });
  expect(once.stdout).toBe('1970-01-01 00:00:00Z  stack.applied  revision 1  (token admin)\n');
  const followed = await runCliWith(['events', '-f', '--json'], { environment, signal: stop.signal });
  expect(followed.exitCode).toBe(EXIT.interrupted);
  expect(
    followed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: number }).id),
  ).toEqual([1, 2]);
});

test('mistakes in the command line cost no request', async () => {
  const unknown = await runCliWith(['frobnicate']);
  expect(unknown).toMatchObject({ exitCode: EXIT.invalid });
  expect(unknown.stderr).toBe('berth: there is no command "frobnicate"\nhint: Run `berth --help`.\n');
  const noun = await runCliWith(['host']);
  expect(noun.stderr).toContain('"host" needs a verb: host ls, host token, host rm');
  const option = await runCliWith(['ps', '--frob', '--json']);
  expect(JSON.parse(option.stderr)).toMatchObject({ error: { code: 'cli.usage' } });
  expect((await runCliWith(['--version'])).stdout).toMatch(/^berth \d+\.\d+\.\d+ /);
  expect((await runCliWith(['help', 'host', 'token'])).stdout).toContain('Usage: berth host token');
});
