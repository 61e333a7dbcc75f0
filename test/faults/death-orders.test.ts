import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeBusyboxArchive } from '../engine/busybox-image.ts';
import { RemoteEngine } from '../engine/remote-engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';

/*
 * Whoever dies, in whichever order: first process, shim, spawner, runner; also when the container's cgroup is frozen. The
 * record must say that it has ended, with nothing left of it.
 */

const stack = new AsyncDisposableStack();
let root: string;
let host: NetworkNamespace;
let engine: RemoteEngine;
let imageId: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-deaths-'));
  stack.defer(() => rm(root, { recursive: true }));
  host = stack.use(await NetworkNamespace.create());
  const archive = join(root, 'busybox.tar');
  await writeBusyboxArchive(archive);
  engine = await RemoteEngine.start(host.name, join(root, 'data'));
  stack.defer(async () => {
    for (const { id } of await engine.call('list')) await engine.call('remove', id, { force: true });
    await engine.call('clear');
    await engine[Symbol.asyncDispose]();
  });
  imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
});

afterAll(() => stack.disposeAsync());

interface Victim {
  readonly id: string;
  readonly pid: number;
  readonly shim: number;
  readonly cgroup: string;
}

async function victim(): Promise<Victim> {
  count += 1;
  const { id } = await engine.call('create', {
    ...{ name: `v${count}`, image: 'busybox:1', imageId, args: ['sleep', '1000'], environment: [], user: '' },
    ...{
      workingDirectory: '',
      hostname: '',
      labels: {},
      restart: { kind: 'no' },
      ports: [],
      publishGroup: `v${count}`,
    },
  });
  await engine.call('start', id);
  const { pid } = (await engine.call('find', id)) ?? { pid: 0 };
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const shim = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  expect((await readFile(`/proc/${shim}/comm`, 'utf8')).trim()).toBe('berth-shim');
  return { id, pid, shim, cgroup: join((await engine.call('place')).cgroup, id) };
}

/** The spawner is the child of the engine that runs from memory. */
async function spawnerPid(): Promise<number> {
  const children = await readFile(`/proc/${engine.pid}/task/${engine.pid}/children`, 'utf8');
  for (const pid of children.split(' ').filter(Boolean)) {
    if ((await readFile(`/proc/${pid}/comm`, 'utf8')).startsWith('memfd:berth')) return Number(pid);
  }
  throw new Error('the engine has no spawner');
}

const freeze = (one: Victim) => writeFile(join(one.cgroup, 'cgroup.freeze'), '1');
const kill = (pid: number): void => void process.kill(pid, 'SIGKILL');

async function restartEngine(): Promise<void> {
  await engine.kill();
  engine = await RemoteEngine.start(host.name, join(root, 'data'));
}

const deaths: Readonly<Record<string, (one: Victim) => Promise<void> | void>> = {
  'its first process': ({ pid }) => kill(pid),
  'its shim': ({ shim }) => kill(shim),
  'its shim, while it is frozen': async (one) => {
    await freeze(one);
    kill(one.shim);
  },
  'its first process, while it is frozen': async (one) => {
    await freeze(one);
    kill(one.pid);
  },
  'shim, then first process': ({ shim, pid }) => {
    kill(shim);
    kill(pid);
  },
  'spawner, then shim': async ({ shim }) => {
    kill(await spawnerPid());
    kill(shim);
  },
  'runner, then first process': async ({ pid }) => {
    await engine.kill();
    kill(pid);
    engine = await RemoteEngine.start(host.name, join(root, 'data'));
  },
  'runner, shim, then the runner comes back': async ({ shim }) => {
    await engine.kill();
    kill(shim);
    engine = await RemoteEngine.start(host.name, join(root, 'data'));
  },
  'shim, while frozen, and the runner before anybody heard of it': async (one) => {
    await freeze(one);
    kill(one.shim);
    await restartEngine();
  },
  'a shim that is stopped, by a stop of the container': async (one) => {
    process.kill(one.shim, 'SIGSTOP');
    const stopped = engine.call('stop', one.id, { timeoutMs: 0 });
    await delay(300);
    kill(one.shim);
    await stopped;
  },
};

test.each(Object.entries(deaths))('%s', async (_name, act) => {
  const one = await victim();
  await act(one);
  const state = async () => (await engine.call('find', one.id))?.state;
  await expect.poll(state, { timeout: 20_000 }).toBe('exited');
  const record = await engine.call('find', one.id);
  expect([137, 255]).toContain(record?.exitCode);
  expect(record?.pid).toBe(0);
  await expect.poll(() => readFile(join(one.cgroup, 'cgroup.procs'), 'utf8').catch(() => 'gone')).toBe('gone');
  await expect.poll(() => readFile(`/proc/${one.pid}/cmdline`, 'utf8').catch(() => '')).toBe('');
  // It is not stuck: it starts again.
  await engine.call('start', one.id);
  expect(await state()).toBe('running');
  await engine.call('remove', one.id, { force: true });
});

test('a frozen container is stopped and removed', async () => {
  const one = await victim();
  await freeze(one);
  await engine.call('stop', one.id, { timeoutMs: 100 });
  expect((await engine.call('find', one.id))?.state).toBe('exited');
  const other = await victim();
  await freeze(other);
  await engine.call('remove', other.id, { force: true });
  expect(await engine.call('find', other.id)).toBeNull();
});
