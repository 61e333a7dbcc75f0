import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createContainerFiles } from '../archive/local-container-files.ts';
import { builtInRuntimes } from '../container/runtimes.ts';
import { vfsDriver } from '../storage/vfs.ts';
import { serveDockerApi } from './server.ts';
import { engineWithout } from '../../test/support/engine-without.ts';
import type { DockerApiHost } from './context.ts';
import type { HostView } from './translate/host.ts';

const run = promisify(execFile);

const view: HostView = {
  facts: {
    hostname: 'alpha',
    os: 'Debian GNU/Linux 12 (bookworm)',
    kernel: '6.1.0',
    architecture: 'amd64',
    cpus: 2,
    memoryBytes: 2 ** 31,
    controllers: ['cpu', 'io', 'cpuset'],
    runnerVersion: '0.1.0',
  },
  instance: 'abcd1234',
  dataRoot: '/var/lib/berth',
  containers: [],
  imageCount: 3,
  isolation: { apparmorProfiles: undefined, remapsAll: false, runtimes: builtInRuntimes },
  storage: { driver: vfsDriver({ binary: 'berth-files', unpackBinary: 'berth-unpack' }), warnings: ['WARNING: vfs'] },
  now: 0,
};

const host: DockerApiHost = {
  view: () => view,
  storage: view.storage.driver as DockerApiHost['storage'],
  engine: {
    ...engineWithout(),
    attach: () => Promise.reject(new Error('no container')),
    rename: () => Promise.resolve(),
    createNetwork: () => Promise.reject(new Error('no network')),
    removeNetwork: () => Promise.resolve(),
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    restart: () => Promise.resolve(),
    pause: () => Promise.reject(new Error('not here')),
    unpause: () => Promise.reject(new Error('not here')),
    update: () => Promise.reject(new Error('not here')),
    resize: () => Promise.resolve(),
  },
  images: {
    load: () => Promise.resolve([]),
    find: () => undefined,
    list: () => [],
    remove: () => Promise.resolve(),
    onChange: () => ({ [Symbol.dispose]: () => {} }),
    tag: () => {},
    untag: () => {},
    detail: () => undefined,
    create: () => Promise.reject(new Error('none is made here')),
    save: () => Readable.from([]),
    guard: () => ({ [Symbol.dispose]: () => {} }),
  },
  network: { list: () => [], find: () => undefined },
  volumes: {
    create: () => Promise.reject(new Error('no volumes')),
    find: () => undefined,
    list: () => [],
    onChange: () => ({ [Symbol.dispose]: () => {} }),
    pathOf: (name) => `/nonexistent/${name}`,
    remove: () => Promise.resolve(),
    require: () => {
      throw new Error('no volumes');
    },
    usersOf: () => [],
  },
  files: createContainerFiles('/nonexistent'),
  containersDirectory: '/nonexistent',
  cgroupDirectory: '/nonexistent',
  isolation: {
    capabilities: [],
    apparmorProfiles: undefined,
    remapsAll: false,
    runtimes: builtInRuntimes,
    containerId: () => undefined,
  },
  clock: () => 0,
};

let directory: string;
let socketPath: string;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'berth-docker-api-'));
  stack.defer(() => rm(directory, { recursive: true }));
  socketPath = join(directory, 'docker.sock');
});
afterEach(() => stack.disposeAsync());

async function serve(): Promise<void> {
  stack.use(await serveDockerApi({ socketPath, host }));
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function call(method: string, path: string, body?: string | Buffer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const sent = request({ socketPath, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data: string) => (text += data));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('ping answers as dockerd does, with and without a version, to GET and HEAD', async () => {
  await serve();
  for (const path of ['/_ping', '/v1.50/_ping']) {
    const get = await call('GET', path);
    expect(get).toMatchObject({ status: 200, text: 'OK' });
    expect(get.headers).toMatchObject({
      'api-version': '1.51',
      'docker-experimental': 'false',
      ostype: 'linux',
      server: 'Berth/0.1.0 (linux)',
      'content-type': 'text/plain; charset=utf-8',
    });
    expect(await call('HEAD', path)).toMatchObject({ status: 200, text: '', headers: { 'api-version': '1.51' } });
  }
});

test('what is not there, and versions that are not spoken, get the texts of dockerd', async () => {
  await serve();
  const message = async (method: string, path: string): Promise<unknown> => {
    const { status, text } = await call(method, path);
    return [status, JSON.parse(text)];
  };
  expect(await message('GET', '/v1.50/nothing?a=1')).toEqual([404, { message: 'page not found' }]);
  expect(await message('POST', '/version')).toEqual([404, { message: 'page not found' }]);
  expect(await message('GET', '/v1.99/version')).toEqual([
    400,
    { message: 'client version 1.99 is too new. Maximum supported API version is 1.51' },
  ]);
  expect(await message('GET', '/v1.9/version')).toEqual([
    400,
    {
      message:
        'client version 1.9 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    },
  ]);
});

test('a body where none belongs is thrown away, not taken for the next request; an endless one is cut off', async () => {
  await serve();
  const reply = await call('GET', '/version', Buffer.alloc(100_000));
  expect(reply.status).toBe(200);
  const large = await call('POST', '/containers/create', Buffer.alloc(9 * 1024 * 1024));
  expect(large.status).toBe(413);
  expect(JSON.parse(large.text)).toEqual({ message: "the request's body is over the limit of 8388608 bytes" });
  await call('GET', '/version', Buffer.alloc(20_000_000)).catch(() => {}); // answered or cut off, whichever is first
  expect((await call('GET', '/version')).status).toBe(200);
});

test('a body that is refused unread is read to its end first, so that its sender comes to the answer', async () => {
  await serve();
  const refused = await call('POST', '/images/create?fromSrc=-&changes=RUN+make', Buffer.alloc(30_000_000));
  expect(refused).toMatchObject({ status: 400, text: expect.stringContaining('RUN is not a valid change') });
});

test('a body that is nested deeper than a parser should follow is refused, brackets in its texts are not counted', async () => {
  await serve();
  const deep = `{"Name":"x","Labels":${'['.repeat(10_001)}${']'.repeat(10_001)}}`;
  const refused = await call('POST', '/volumes/create', deep);
  expect(refused.status).toBe(400);
  expect(JSON.parse(refused.text)).toEqual({ message: 'invalid JSON: the body is nested deeper than 10000 levels' });
  const flat = await call('POST', '/volumes/create', `{"Name":7,"Label":"\\"${'['.repeat(20_000)}"}`);
  expect(JSON.parse(flat.text)).toEqual({ message: expect.stringContaining('invalid JSON: Name:') });
});

test('events end at a time that is no whole number of milliseconds', async () => {
  await serve();
  expect(await call('GET', '/events?until=0.0504')).toMatchObject({ status: 200, text: '' });
});

test('garbage closes its own connection only', async () => {
  await serve();
  const socket = connect(socketPath);
  socket.resume();
  socket.write('\0\0\0 not http\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  expect((await call('GET', '/_ping')).status).toBe(200);
});

test('the socket is for its owner and group, replaces a dead one, and never a live one or a file', async () => {
  {
    // A process that dies without closing leaves its socket behind.
    const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    await run(process.execPath, ['-e', script, socketPath]).catch(() => {});
    expect((await stat(socketPath)).isSocket()).toBe(true);
  }
  await serve();
  expect((await stat(socketPath)).mode & 0o777).toBe(0o660);
  await expect(serve()).rejects.toMatchObject({ code: 'socket.in-use' });
  expect((await call('GET', '/_ping')).status).toBe(200);
  socketPath = join(directory, 'file');
  await writeFile(socketPath, 'precious');
  await expect(serve()).rejects.toMatchObject({ code: 'socket.not-a-socket' });
});

test('the stock docker client reads version and info', async () => {
  await serve();
  const environment = { PATH: process.env['PATH'] ?? '', HOME: directory };
  const docker = async (...args: string[]): Promise<string> =>
    (await run('docker', ['-H', `unix://${socketPath}`, ...args], { env: environment })).stdout;
  const version = JSON.parse(await docker('version', '--format', '{{json .Server}}')) as unknown;
  expect(version).toMatchObject({
    Platform: { Name: 'Berth' },
    Version: '0.1.0',
    ApiVersion: '1.51',
    MinAPIVersion: '1.24',
    Arch: 'amd64',
    KernelVersion: '6.1.0',
  });
  const text = await docker('info');
  expect(text).toContain('Server Version: 0.1.0');
  expect(text).toContain('Images: 3');
  expect(text).toContain('Operating System: Debian GNU/Linux 12 (bookworm)');
  expect(text).toContain('CPUs: 2');
  expect(text).toContain('Total Memory: 2GiB');
  expect(text).toContain('Live Restore Enabled: true');
});
