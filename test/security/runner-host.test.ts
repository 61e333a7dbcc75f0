import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeCgroup } from '../../runner/os/cgroup.ts';
import { NetworkNamespace } from '../network/namespace.ts';

const run = promisify(execFile);
const berth = join(import.meta.dirname, '..', '..', 'bin', 'berth');
/** Nobody in particular. */
const strangerId = 12_345;

const stack = new AsyncDisposableStack();
let directory: string;
let namespace: NetworkNamespace;
let pid: number;

/** A standalone runner. Its socket is where everybody may look, so that its mode alone protects it. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-open-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  namespace = stack.use(await NetworkNamespace.create());
  // Made beforehand by somebody who was careless.
  await mkdir(join(directory, 'data'), { mode: 0o777 });
  await chmod(join(directory, 'data'), 0o777);
  const options = ['--data-root', join(directory, 'data'), '--socket', join(directory, 'berth.sock')];
  const command = [`--net=/run/netns/${namespace.name}`, berth, 'runner', '--standalone', ...options];
  const runner = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  pid = runner.pid ?? 0;
  stack.defer(async () => {
    const ended = once(runner, 'exit');
    runner.kill('SIGTERM');
    await ended;
    using database = new DatabaseSync(join(directory, 'data', 'runner.db'));
    const row = database.prepare("select value from meta where key = 'instance'").get();
    const roots = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .filter((line) => line.includes('cgroup2'));
    for (const line of roots) await removeCgroup(`${line.split(' ')[4]}/berth-${String(row?.['value'])}`);
  });
  await once(createInterface({ input: runner.stdout }), 'line');
});
afterAll(() => stack.disposeAsync());

/** What a program of another user sees of `path`: the code of its error, or `reached`. */
async function asStranger(script: string, path: string): Promise<string> {
  const program = `const tell = (error) => console.log(error ? error.code : 'reached'); const path = process.argv[1]; ${script}`;
  const { stdout } = await run('setpriv', [
    ...[`--reuid=${strangerId}`, `--regid=${strangerId}`, '--clear-groups'],
    ...[process.execPath, '-e', program, path],
  ]);
  return stdout.trim();
}

test('CVE-2021-41091: nothing beneath the data root is in the reach of another user', async () => {
  const root = join(directory, 'data');
  expect((await stat(root)).mode & 0o777).toBe(0o700);
  const names = await readdir(root);
  expect(names).toEqual(expect.arrayContaining(['runner.db', 'images', 'containers']));
  expect(await asStranger("require('node:fs').readdir(path, tell)", root)).toBe('EACCES');
  for (const name of names) {
    expect(await asStranger("require('node:fs').access(path, tell)", join(root, name))).toBe('EACCES');
  }
});

test('the API socket is for its owner and group', async () => {
  const path = join(directory, 'berth.sock');
  const status = await stat(path);
  expect([status.mode & 0o777, status.uid]).toEqual([0o660, 0]);
  const connect =
    "require('node:net').connect(path).once('connect', () => { tell(); process.exit() }).once('error', tell)";
  expect(await asStranger(connect, path)).toBe('EACCES');
});

test('CVE-2020-15257: no socket of the runner or the spawner is in the abstract namespace', async () => {
  const listed = await readFile(`/proc/${pid}/net/unix`, 'utf8');
  expect(listed).toContain(join(directory, 'berth.sock'));
  // The network namespace is the test's own: what is listed is the runner's and its children's.
  expect(listed.split('\n').filter((line) => / @/.test(line))).toEqual([]);
});

test('the spawner is reached over a nameless socket alone, and keeps no other descriptor than the host’s mounts', async () => {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  const programs = await Promise.all(
    children.map(async (child) => [child, await readlink(`/proc/${child}/exe`)] as const),
  );
  const spawner = programs.find(([, program]) => program.includes('memfd:berth-launcher'))?.[0] ?? '';
  const names = await readdir(`/proc/${spawner}/fd`);
  const targets = await Promise.all(names.map((fd) => readlink(`/proc/${spawner}/fd/${fd}`)));
  const inode = /^socket:\[(\d+)\]$/.exec(targets[3] ?? '')?.[1] ?? 'none';
  const line = (await readFile(`/proc/${spawner}/net/unix`, 'utf8')).split('\n').find((one) => one.includes(inode));
  // Columns: address, reference count, protocol, flags (10000: listens), type, state, inode, path.
  expect(line?.trim().split(/\s+/).slice(3)).toEqual(['00000000', '0001', '03', inode]);
  // Binds are cloned from the runner's own mount namespace.
  const mounts = await readlink(`/proc/${pid}/ns/mnt`);
  expect(targets.slice(4).filter((target) => target !== 'anon_inode:[eventpoll]')).toEqual([mounts]);
  expect((await stat(`/proc/${spawner}/environ`)).uid).toBe(0);
  expect(await readFile(`/proc/${spawner}/environ`, 'utf8')).toBe('');
});

test('CVE-2024-41110, 2026-34040: a body over its limit is refused whole, and cannot pass for another request', async () => {
  const attack = (body: string[]) =>
    run('curl', ['-s', '-m', '30', '--unix-socket', join(directory, 'berth.sock'), '-w', '%{http_code}', ...body]);
  const large = join(directory, 'large');
  await run('truncate', ['-s', '200M', large]);
  const resident = async () => Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const before = await resident();
  const attacks: [method: string, path: string, outcome: RegExp][] = [
    // These take no body: it is not read, and the connection ends with the answer.
    ['GET', '_ping', /^(200|cut)$/],
    ['GET', 'version', /^(200|cut)$/],
    ['GET', 'containers/create', /^(404|cut)$/],
    ['POST', 'containers/create', /^(413|cut)$/],
    ['POST', 'v1.41/build', /^(501|cut)$/],
  ];
  for (const [method, path, expected] of attacks) {
    const outcome = await attack(['-X', method, '-T', large, `http://berth/${path}`]).then(
      ({ stdout }) => stdout.slice(-3),
      () => 'cut',
    );
    expect(outcome, `${method} ${path}`).toMatch(expected);
  }
  expect((await resident()) - before).toBeLessThan(64 * 1024);
  expect((await attack(['http://berth/_ping'])).stdout).toBe('OK200');
});

test('a redirect does not carry a token elsewhere', async () => {
  const requests: IncomingMessage[] = [];
  const lied = new Set<string>();
  const thief = await listening((request, answer) => {
    requests.push(request);
    answer({});
  });
  const liar = await listening((request, answer) => {
    lied.add(request.url ?? '');
    answer({ Location: `${thief.url}/v1/tasks` });
  });
  await using servers = new AsyncDisposableStack();
  for (const { server } of [thief, liar]) servers.use(server);
  for (const argv of [
    ['ps', '--json'],
    ['host', 'ls'],
    ['runner', 'join', liar.url, '--token', 'berth-join-secret', '--data-root', join(directory, 'joining')],
  ]) {
    const environment = { ...process.env, BERTH_URL: liar.url, BERTH_TOKEN: 'brt_secret', HOME: directory };
    await expect(run(berth, argv, { env: environment, timeout: 60_000 })).rejects.toThrow('Command failed');
  }
  expect(lied.size).toBe(3);
  expect(requests).toEqual([]);
});

/** An HTTP server that redirects when it is told to. */
async function listening(
  handle: (request: IncomingMessage, answer: (headers: Record<string, string>) => void) => void,
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    handle(request, (headers) => response.writeHead('Location' in headers ? 307 : 200, headers).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
