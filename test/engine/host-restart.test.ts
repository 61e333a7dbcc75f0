import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { writeBusyboxArchive } from './busybox-image.ts';
import { RemoteEngine } from './remote-engine.ts';

const stack = new AsyncDisposableStack();
let root: string;
let host: NetworkNamespace;
let engine: RemoteEngine;
let imageId: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-reboot-'));
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

async function started(name: string, restart: object): Promise<string> {
  const { id } = await engine.call('create', {
    ...{ name, image: 'busybox:1', imageId, args: ['sleep', '1000'], environment: [], workingDirectory: '', user: '' },
    ...{ hostname: '', labels: {}, restart, ports: [], publishGroup: name, stopTimeoutMs: 0 },
  });
  await engine.call('start', id);
  return id;
}

async function record(name: string): Promise<ContainerRecord> {
  const found = await engine.call('find', name);
  if (found === undefined || found === null) throw new Error(`no container ${name}`);
  return found;
}

/** What a restart of the machine leaves: no process, and another boot id. */
async function restartHost(): Promise<void> {
  const { cgroup } = await engine.call('place');
  const records = await engine.call('list');
  await engine.kill();
  const shims: number[] = [];
  for (const { pid } of records.filter((one) => one.pid > 0)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    shims.push(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  for (const pid of shims) process.kill(pid, 'SIGKILL');
  for (const { id } of records.filter((one) => one.pid > 0)) await writeFile(join(cgroup, id, 'cgroup.kill'), '1');
  using database = new DatabaseSync(join(root, 'data', 'runner.db'));
  const { changes } = database.prepare("update meta set value = 'another' where key = 'boot-id'").run();
  expect(changes).toBe(1);
  database.close();
  engine = await RemoteEngine.start(host.name, join(root, 'data'));
}

test('after a restart of the host, what should come back does, and what it cost is told', async () => {
  const before = new Map<string, number>();
  for (const [name, kind] of [
    ['first', 'always'],
    ['second', 'unless-stopped'],
    ['failing', 'on-failure'],
    ['once', 'no'],
    ['ended', 'unless-stopped'],
    ['returning', 'always'],
  ] as const) {
    await started(name, { kind });
    before.set(name, (await record(name)).pid);
  }
  await engine.call('stop', (await record('ended')).id);
  await engine.call('stop', (await record('returning')).id);
  await restartHost();
  const state = async (name: string) => (await record(name)).state;
  for (const name of ['first', 'second', 'returning']) {
    await expect.poll(() => state(name), { timeout: 20_000 }).toBe('running');
    expect((await record(name)).pid).not.toBe(before.get(name));
  }
  for (const name of ['failing', 'once']) {
    const lost = await record(name);
    expect(lost).toMatchObject({ state: 'exited', exitCode: 255, pid: 0, restarts: 0 });
    expect(lost.error).toContain('the host was restarted while it ran');
  }
  expect(await record('ended')).toMatchObject({ state: 'exited', exitCode: 137, error: '' });
  // In the order in which they were created.
  const at = async (name: string) => (await record(name)).startedAtMs ?? 0;
  expect(await at('first')).toBeLessThanOrEqual(await at('second'));
});
