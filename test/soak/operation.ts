import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { call } from '../support/call-socket.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';
import { tar } from '../support/tar.ts';
import type { RunnerUnderFire } from './runner-under-fire.ts';

/** What an operation is done to. */
export interface Target {
  readonly runner: RunnerUnderFire;
  /** A name that no operation has used before. */
  readonly name: string;
  /** A running container (`sleep`) with a volume, on the default network. */
  readonly running: string;
  /** One that was created and never started. */
  readonly created: string;
}

/** An operation of the engine, which rejects when it was refused or cut off. */
export type Operation = (target: Target) => Promise<unknown>;

export const image = 'busybox:latest';

/** Creates a container; its id. @throws Error with what the engine says */
export async function createContainer(
  runner: RunnerUnderFire,
  name: string,
  body: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const wanted = { Image: image, Cmd: ['sleep', '100000'], StopTimeout: 0, ...body };
  const answer = await call(runner.socketPath, 'POST', `/containers/create?name=${name}`, wanted);
  if (answer.status !== 201) throw new Error(`create ${name}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return (answer.body as { Id: string }).Id;
}

const post = (target: Target, path: string, body?: unknown): Promise<unknown> => ask(target, 'POST', path, body);

const remove = (target: Target, path: string): Promise<unknown> => ask(target, 'DELETE', path);

/** The answer's body. @throws Error when it is a refusal */
async function ask({ runner }: Target, method: string, path: string, wanted?: unknown): Promise<unknown> {
  const { status, body } = await call(runner.socketPath, method, path, wanted);
  if (status < 400) return body;
  throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
}

/** Sends bytes, or takes them and throws them away. @throws Error when it is refused */
export function bulk({ runner }: Target, method: string, path: string, body?: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = request({ socketPath: runner.socketPath, method, path, agent: false }, (response) => {
    response.resume();
    response.on('error', reject);
    response.on('end', () => {
      if ((response.statusCode ?? 0) < 400) resolve();
      else reject(new Error(`${method} ${path}: ${response.statusCode}`));
    });
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

function imageArchive(reference: string): Buffer {
  return dockerArchive([busyboxImage({ reference, files: [{ name: 'which', content: reference }] })]);
}

async function started(target: Target, body: Readonly<Record<string, unknown>>): Promise<unknown> {
  const id = await createContainer(target.runner, target.name, body);
  return post(target, `/containers/${id}/start`);
}

/** On a network of its own, with a volume of its own. */
async function startedWithAll(target: Target): Promise<unknown> {
  await post(target, '/networks/create', { Name: target.name });
  return started(target, {
    HostConfig: { NetworkMode: target.name, Binds: [`${target.name}:/data`], RestartPolicy: { Name: 'always' } },
  });
}

async function exec(target: Target): Promise<unknown> {
  const made = await post(target, `/containers/${target.running}/exec`, {
    Cmd: ['sh', '-c', 'sleep 100 & exec sleep 0.05'],
  });
  return post(target, `/exec/${(made as { Id: string }).Id}/start`, { Detach: true });
}

/** Every operation that changes something, by its name. */
export const operations: Readonly<Record<string, Operation>> = {
  create: (target) => createContainer(target.runner, target.name),
  'create with volumes': (target) =>
    createContainer(target.runner, target.name, {
      Volumes: { '/etc': {} },
      HostConfig: { Binds: [`${target.name}:/bin`] },
    }),
  start: (target) => post(target, `/containers/${target.created}/start`),
  'run with network and volume': startedWithAll,
  'run with --rm': (target) => started(target, { Cmd: ['true'], HostConfig: { AutoRemove: true } }),
  'run and crash': (target) =>
    started(target, { Cmd: ['false'], HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } } }),
  stop: (target) => post(target, `/containers/${target.running}/stop?t=0`),
  restart: (target) => post(target, `/containers/${target.running}/restart?t=0`),
  kill: (target) => post(target, `/containers/${target.running}/kill`),
  pause: (target) => post(target, `/containers/${target.running}/pause`),
  'pause and unpause': async (target) => {
    await post(target, `/containers/${target.running}/pause`);
    return post(target, `/containers/${target.running}/unpause`);
  },
  update: (target) =>
    post(target, `/containers/${target.running}/update`, { RestartPolicy: { Name: 'unless-stopped' } }),
  rename: (target) => post(target, `/containers/${target.running}/rename?name=${target.name}`),
  exec,
  remove: (target) => remove(target, `/containers/${target.created}?v=1`),
  'remove by force': (target) => remove(target, `/containers/${target.running}?force=1&v=1`),
  prune: (target) => post(target, '/containers/prune'),
  commit: (target) => post(target, `/commit?container=${target.running}&repo=${target.name}`, {}),
  'copy in': (target) => {
    const archive = tar([{ name: 'big', content: Buffer.alloc(3_000_000, 7) }]);
    return bulk(target, 'PUT', `/containers/${target.running}/archive?path=/tmp`, archive);
  },
  'copy out': (target) => bulk(target, 'GET', `/containers/${target.running}/archive?path=/bin`),
  export: (target) => bulk(target, 'GET', `/containers/${target.running}/export`),
  load: (target) => bulk(target, 'POST', '/images/load', imageArchive(`${target.name}:1`)),
  save: (target) => bulk(target, 'GET', '/images/busybox/get'),
  import: async (target) => {
    const rootfs = tar([{ name: 'busybox', content: await readFile('/bin/busybox') }]);
    return bulk(target, 'POST', `/images/create?fromSrc=-&repo=${target.name}`, rootfs);
  },
  'tag and remove an image': async (target) => {
    await post(target, `/images/busybox/tag?repo=${target.name}&tag=1`);
    return remove(target, `/images/${target.name}:1`);
  },
  'create a volume': (target) => post(target, '/volumes/create', { Name: target.name }),
  'remove a volume': async (target) => {
    await post(target, '/volumes/create', { Name: target.name });
    return remove(target, `/volumes/${target.name}`);
  },
  'prune volumes': (target) => post(target, `/volumes/prune?filters=${encodeURIComponent('{"all":["1"]}')}`),
  'create a network': (target) => post(target, '/networks/create', { Name: target.name }),
  'remove a network': async (target) => {
    await post(target, '/networks/create', { Name: target.name });
    return remove(target, `/networks/${target.name}`);
  },
  'connect and disconnect': async (target) => {
    await post(target, '/networks/create', { Name: target.name });
    await post(target, `/networks/${target.name}/connect`, { Container: target.running });
    return post(target, `/networks/${target.name}/disconnect`, { Container: target.running });
  },
};

/** What a soak run keeps from round to round is this image; it is loaded once. */
export async function loadImage(runner: RunnerUnderFire): Promise<void> {
  const target = { runner, name: '', running: '', created: '' };
  await bulk(target, 'POST', '/images/load?quiet=1', dockerArchive([busyboxImage({ reference: image })]));
}
