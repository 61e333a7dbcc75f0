import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** A dockerd of this machine's Debian, with its own data, in its own network namespace. */
export interface Dockerd extends AsyncDisposable {
  readonly pid: number;
  readonly socket: string;
  /** One API call; the answer's body as text. Throws on a status of 400 or over. */
  call(method: string, path: string, body?: unknown): Promise<string>;
  load(archive: Readable): Promise<void>;
}

/** Starts dockerd and waits until it answers; undefined when Debian's docker.io is not installed. */
export async function startDockerd(): Promise<Dockerd | undefined> {
  if (!existsSync('/usr/sbin/dockerd')) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'bench-dockerd-'));
  const namespace = `bench-dockerd-${process.pid}`;
  const socket = join(directory, 'socket');
  spawnSync('ip', ['netns', 'add', namespace], { stdio: 'inherit' });
  spawnSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'], { stdio: 'inherit' });
  const daemon = spawn(
    // Not `ip netns exec`: that replaces /sys, and the cgroups with it.
    'nsenter',
    [
      ...[`--net=/run/netns/${namespace}`, 'dockerd', '--data-root', join(directory, 'data')],
      ...['--exec-root', join(directory, 'exec'), '--pidfile', join(directory, 'pid'), '-H', `unix://${socket}`],
    ],
    { stdio: 'ignore' },
  );
  const call = (method: string, path: string, body?: unknown): Promise<string> => send(socket, method, path, body);
  const deadline = Date.now() + 60_000;
  while (
    !(await call('GET', '/_ping').then(
      () => true,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new Error('dockerd did not answer within 60 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    pid: daemon.pid ?? 0,
    socket,
    call,
    load: async (archive) => {
      await send(socket, 'POST', '/images/load', archive);
    },
    [Symbol.asyncDispose]: async () => {
      const gone = once(daemon, 'close');
      daemon.kill('SIGTERM');
      await gone;
      spawnSync('ip', ['netns', 'del', namespace]);
      spawnSync('umount', ['-q', join(directory, 'exec', 'netns', 'default')]); // it leaves that of its host network
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function send(socketPath: string, method: string, path: string, body: unknown): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stream = typeof body === 'object' && body !== null && 'pipe' in body ? (body as Readable) : undefined;
  const outgoing = request(
    {
      socketPath,
      method,
      path,
      headers: { 'content-type': stream === undefined ? 'application/json' : 'application/x-tar' },
    },
    (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => {
        if ((answer.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
      });
    },
  );
  outgoing.on('error', reject);
  if (stream !== undefined) stream.pipe(outgoing);
  else outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
