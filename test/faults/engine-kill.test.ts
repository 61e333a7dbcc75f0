import { readFile, readdir, mkdtemp, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeBusyboxArchive } from '../engine/busybox-image.ts';
import { RemoteEngine } from '../engine/remote-engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { ProgramEnded } from '../support/remote-program.ts';

const rounds = Number(process.env['BERTH_FAULT_ROUNDS'] ?? 50);
const seed = Number(process.env['BERTH_FAULT_SEED'] ?? 1);

let root: string;
let data: string;
let host: NetworkNamespace;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-faults-'));
  data = join(root, 'data');
  host = await NetworkNamespace.create();
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** A small generator with a seed (mulberry32), so that a failing run can be run again. */
function generator(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = generator(seed);
const oneOf = <T>(values: readonly T[]): T | undefined => values[Math.floor(random() * values.length)];

const scripts = ['sleep 1000', 'exit 0', 'exit 1', 'sleep 0.2; exit 3'];
const policies = [
  { kind: 'no' },
  { kind: 'always' },
  { kind: 'on-failure', maxRetries: 2 },
  { kind: 'unless-stopped' },
];
let made = 0;

function config(imageId: string) {
  made += 1;
  return {
    name: `c${made}`,
    image: 'busybox:1',
    imageId,
    args: ['/bin/sh', '-c', oneOf(scripts)],
    environment: [],
    workingDirectory: '',
    user: '',
    hostname: '',
    labels: {},
    restart: oneOf(policies),
    ports: random() < 0.3 ? [{ protocol: 'tcp', hostPort: 8000 + (made % 5), containerPort: 80 }] : [],
    publishGroup: 'all',
    stopTimeoutMs: 50,
  };
}

async function comm(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
}

/** kill -9 of the shim of a container, which is the parent of its first process. */
async function killShim(containerPid: number): Promise<void> {
  const stat = await readFile(`/proc/${containerPid}/stat`, 'utf8').catch(() => '');
  const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  if (parent > 1 && (await comm(parent)) === 'berth-shim') process.kill(parent, 'SIGKILL');
}

/** kill -9 of the engine's spawner. */
async function killSpawner(enginePid: number): Promise<void> {
  const children = await readFile(`/proc/${enginePid}/task/${enginePid}/children`, 'utf8').catch(() => '');
  for (const pid of children
    .split(' ')
    .filter((word) => word !== '')
    .map(Number)) {
    if ((await comm(pid)).startsWith('memfd:berth-lau')) process.kill(pid, 'SIGKILL');
  }
}

/** One operation after another until the engine is killed; refusals are as good as successes. */
async function churn(engine: RemoteEngine, imageId: string): Promise<void> {
  for (;;) {
    const records = await engine.call('list');
    const chosen = oneOf(records);
    const target = chosen?.id;
    const create = async () => {
      const { id } = await engine.call('create', config(imageId));
      await engine.call('start', id);
    };
    const operation =
      records.length < 4 || target === undefined
        ? create
        : oneOf([
            create,
            () => engine.call('start', target),
            () => engine.call('stop', target),
            () => engine.call('kill', target, 'SIGKILL'),
            () => engine.call('remove', target, { force: true }),
            () => engine.call('remove', target, { force: true }),
            () => killShim(chosen?.pid ?? 0),
            () => killSpawner(engine.pid),
          ]);
    await operation?.().catch((error: Error) => {
      if (error instanceof ProgramEnded) throw error;
    });
  }
}

/** The pids in a cgroup and below. */
async function processesIn(cgroup: string): Promise<number[]> {
  const text = await readFile(join(cgroup, 'cgroup.procs'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** What the engine says and what the kernel has, where they differ; asked until they agree or the time is over. */
async function differences(engine: RemoteEngine): Promise<string[]> {
  const { cgroup } = await engine.call('place');
  const found: string[] = [];
  const groups = (await readdir(cgroup, { withFileTypes: true }))
    .filter((one) => one.isDirectory() && one.name !== 'shims')
    .map(({ name }) => name);
  const records = await engine.call('list');
  const running = new Map(records.filter(({ state }) => state === 'running').map((record) => [record.id, record]));
  for (const { id, pid } of running.values()) {
    if (!(await processesIn(join(cgroup, id))).includes(pid)) found.push(`${id} is said to run as ${pid}`);
  }
  for (const name of groups) if (!running.has(name)) found.push(`cgroup ${name} has no running container`);
  const directories = await readdir(join(data, 'containers'));
  const known = new Set(records.map(({ id }) => id));
  for (const name of directories) if (!known.has(name)) found.push(`directory ${name} has no record`);
  const links = (await host.ip('-o', 'link', 'show', 'type', 'veth')).split('\n').filter((line) => line !== '');
  if (links.length > running.size) found.push(`${links.length} links, ${running.size} running containers`);
  for (const { id, state } of records) {
    if (state === 'removing' || state === 'starting') found.push(`${id} stays ${state}`);
  }
  return found;
}

async function agreement(engine: RemoteEngine): Promise<string[]> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const found = await differences(engine);
    if (found.length === 0 || performance.now() > deadline) return found;
    await delay(50); // containers come and go by their policies while we look
  }
}

/** One life of an engine: what differs once it has recovered, then work until it is killed, or a kill on the way. */
async function killedRound(round: number, imageId: string): Promise<string[]> {
  const { engine, ready } = RemoteEngine.spawn(host.name, data);
  const recovered = ready.then(
    () => true,
    () => false,
  );
  if (round % 7 === 6) {
    await Promise.race([recovered, delay(300 + random() * 300)]);
    await engine.kill();
    return [];
  }
  if (!(await recovered)) return [`after ${round} kills the engine did not start`];
  const found = await agreement(engine);
  const work = [1, 2, 3].map(() => churn(engine, imageId).catch(() => undefined));
  await delay(random() * 400);
  await engine.kill();
  await Promise.all(work);
  return found.map((text) => `after ${round} kills: ${text}`);
}

/** Processes in the namespace, by their command line. */
async function processesOf(namespace: NetworkNamespace): Promise<string[]> {
  const own = (await namespace.run('readlink', '/proc/self/ns/net')).trim();
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const net = await readlink(`/proc/${pid}/ns/net`).catch(() => '');
    if (net === own) found.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => pid));
  }
  return found;
}

test(
  `kill -9 of engine, shims and spawner at ${rounds} random moments (seed ${seed})`,
  { timeout: 1_800_000 },
  async () => {
    const archive = join(root, 'busybox.tar');
    await writeBusyboxArchive(archive);
    let imageId = '';
    {
      await using engine = await RemoteEngine.start(host.name, data);
      imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
    }
    const differing: string[] = [];
    for (let round = 0; round < rounds; round += 1) differing.push(...(await killedRound(round, imageId)));
    expect(differing).toEqual([]);
    const last = await RemoteEngine.start(host.name, data);
    expect(await agreement(last)).toEqual([]);
    const { cgroup } = await last.call('place');
    for (const { id } of await last.call('list')) await last.call('remove', id, { force: true });
    expect(await readdir(join(data, 'containers'))).toEqual([]);
    expect(
      (await readdir(cgroup, { withFileTypes: true })).filter((one) => one.isDirectory() && one.name !== 'shims'),
    ).toEqual([]);
    expect(await host.ip('-o', 'link', 'show', 'type', 'veth')).toBe('');
    await last.call('clear');
    await last[Symbol.asyncDispose]();
    await expect.poll(() => processesOf(host)).toEqual([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(data);
  },
);
