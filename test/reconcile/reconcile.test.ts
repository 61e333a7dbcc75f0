import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { randomId } from '#shared/id.ts';
import type { AssignedTask } from '#shared/model/task.ts';
import { writeBusyboxArchive } from '../engine/busybox-image.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { ociArchive } from '../support/image.ts';
import { RemoteHost } from './remote-host.ts';

const KILLS = 12;
const within = { timeout: 60_000, interval: 50 };

let stack: AsyncDisposableStack;
let namespace: NetworkNamespace;
let root: string;
let host: RemoteHost;
let generation = 0;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  root = await mkdtemp(join(tmpdir(), 'berth-reconcile-'));
  stack.defer(() => rm(root, { recursive: true }));
  namespace = stack.use(await NetworkNamespace.create());
  const archive = join(root, 'image.tar');
  await writeBusyboxArchive(archive);
  host = await RemoteHost.start(namespace.name, join(root, 'data'));
  await host.call('load', archive, 'hello:1');
});
afterAll(async () => {
  // Whatever a failed test left is taken down the same way.
  await host.call('apply', (generation += 1), { tasks: [] });
  await vi.waitFor(async () => {
    if ((await host.call('list')).length > 0) throw new Error('containers are left');
  }, within);
  await host.call('clear');
  await host[Symbol.asyncDispose]();
  await stack.disposeAsync();
});

const serviceId = randomId();
function task(slot: number, epoch: number, change: Partial<AssignedTask['container']> = {}): AssignedTask {
  return {
    id: randomId(),
    stack: 'test',
    service: 'web',
    serviceId,
    slot,
    epoch,
    container: {
      image: 'hello:1',
      // A first process that heeds no SIGTERM would make each stop take its whole grace period.
      command: ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'],
      environment: {},
      labels: {},
      ports: [],
      restart: { kind: 'always' },
      ...change,
    },
    onDisconnect: { kind: 'keep' },
  };
}

async function settled(tasks: readonly AssignedTask[], state: string): Promise<void> {
  await vi.waitFor(async () => {
    const statuses = await host.call('statuses');
    const found = tasks.map(({ id }) => statuses.find(({ taskId }) => taskId === id));
    expect(found.map((status) => status?.state)).toEqual(tasks.map(() => state));
    const containers = await host.call('list');
    expect(new Set(containers.map(({ config }) => config.task?.id))).toEqual(new Set(tasks.map(({ id }) => id)));
    expect(containers).toHaveLength(tasks.length);
  }, within);
}

test('an assignment becomes running containers, and their end is told', async () => {
  const tasks = [task(1, 1), task(2, 1)];
  await host.call('apply', (generation += 1), { tasks });
  await settled(tasks, 'running');
  const [first] = await host.call('list');
  process.kill(first?.pid ?? 0, 'SIGKILL');
  await vi.waitFor(async () => {
    const again = (await host.call('list')).find(({ id }) => id === first?.id);
    expect(again).toMatchObject({ state: 'running', restarts: 1 });
    expect(again?.pid).not.toBe(first?.pid);
  }, within);
  const job = task(3, 1, { command: ['sh', '-c', 'exit 3'], restart: { kind: 'no' } });
  await host.call('apply', (generation += 1), { tasks: [job] });
  await settled([job], 'failed');
});

test('a VOLUME of its image is a volume of the task’s own, which goes with it', async () => {
  const layers = [await readFile(join(root, 'image.tar'))];
  await writeFile(
    join(root, 'volume.tar'),
    ociArchive([{ reference: 'volume:1', layers, config: { Volumes: { '/srv/': {} } } }]),
  );
  await host.call('load', join(root, 'volume.tar'), 'volume:1');
  const kept = task(1, 1, {
    image: 'volume:1',
    command: ['sh', '-c', 'echo kept > /srv/file; trap "exit 0" TERM; sleep 1000 & wait'],
  });
  await host.call('apply', (generation += 1), { tasks: [kept] });
  await settled([kept], 'running');
  const [container] = await host.call('list');
  const [name = ''] = await host.call('volumes');
  expect(container?.config.mounts).toMatchObject([{ kind: 'volume', name, destination: '/srv', anonymous: true }]);
  const file = join(root, 'data', 'volumes', name, '_data', 'file');
  await expect.poll(() => readFile(file, 'utf8')).toBe('kept\n');
  await host.call('apply', (generation += 1), { tasks: [] });
  await settled([], 'running');
  await expect.poll(() => host.call('volumes')).toEqual([]);
});

test('a container reaches its own published port, and others do', async () => {
  const ports = [{ protocol: 'tcp' as const, hostPort: 8090, containerPort: 80 }];
  const web = task(1, 2, {
    command: ['sh', '-c', 'trap "exit 0" TERM; while true; do echo web | nc -l -p 80 & wait; done'],
    ports,
  });
  await host.call('apply', (generation += 1), { tasks: [web] });
  await settled([web], 'running');
  const [{ id, address } = { id: '', address: '' }] = await host.call('list');
  const gateway = `${address?.split('.').slice(0, 3).join('.')}.1`;
  const askHost = () => namespace.program('../network/ask.ts', 'tcp', '127.0.0.1', '8090', '1', '5000');
  await expect.poll(() => askHost()).toBe('["web"]');
  await expect.poll(() => host.call('ask', id, gateway, '8090')).toBe('web\n');
});

test('a port that somebody else has and an image that is not there reject their tasks; the others run', async () => {
  await namespace.start('../network/answer.ts', '8080', 'host');
  const tasks = [
    task(1, 3, { ports: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] }),
    task(2, 3, { image: 'missing:1' }),
    task(3, 3),
  ];
  await host.call('apply', (generation += 1), { tasks });
  await vi.waitFor(async () => {
    const statuses = await host.call('statuses');
    const [port, image, fine] = tasks.map(({ id }) => statuses.find(({ taskId }) => taskId === id));
    expect(port).toMatchObject({ state: 'rejected', message: expect.stringContaining('port is already allocated') });
    expect(image).toMatchObject({ state: 'rejected', message: expect.stringContaining('berth image load') });
    expect(fine).toMatchObject({ state: 'running' });
  }, within);
});

test(`killed ${KILLS} times at random moments of rolling to new tasks, it ends with exactly what is assigned`, async () => {
  let tasks: AssignedTask[] = [];
  for (let round = 0; round < KILLS; round += 1) {
    tasks = [1, 2, 3].map((slot) => task(slot, 10 + round));
    await host.call('apply', (generation += 1), { tasks });
    await delay(Math.random() * 400); // the moment of the kill is the test's input
    await host.kill();
    host = await RemoteHost.start(namespace.name, join(root, 'data'));
  }
  await settled(tasks, 'running');
  const links = async () => (await namespace.ip('-o', 'link')).split('\n').filter((line) => line.includes(' bv'));
  await expect.poll(links).toHaveLength(3);
});
