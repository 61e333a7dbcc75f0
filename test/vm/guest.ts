/**
 * What runs inside the virtual machine, once for all tests of its lane: a real engine with real limits. It observes and
 * writes what it saw to the exchange directory; the tests outside judge.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import type { ContainerUpdate } from '../../runner/container/updating.ts';
import { writeBusyboxArchive } from '../engine/busybox-image.ts';
import { RemoteEngine } from '../engine/remote-engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { GuestContainer } from './guest-containers.ts';

export interface Ended {
  readonly record: ContainerRecord;
  readonly log: string;
}
type Files = Readonly<Record<string, string>>;

export interface GuestReport {
  readonly controllers: readonly string[];
  /** A container with a limit of every kind. */
  readonly all: { readonly files: Files; readonly cpus: string };
  readonly overMemory: Ended & { readonly limits: Files };
  readonly underMemory: Ended;
  readonly killed: Ended;
  readonly overPids: Ended & { readonly limits: Files };
  /** 40 MiB kept in 24 MiB of memory and 40 MiB of swap: the swap in use; and without swap. */
  readonly swap: { readonly usedBytes: number; readonly without: Ended };
  /** Shares of one processor: with a limit of a fifth, then of three fifths; nr_throttled in between. */
  readonly quota: { readonly before: number; readonly throttled: number; readonly after: number };
  /** Shares of the one processor that two containers of weight 8 to 1 had. */
  readonly weights: { readonly heavy: number; readonly light: number };
  /** Where the process may run: before and after an update. */
  readonly cpuset: { readonly before: string; readonly after: string };
  /** Exit codes of ten processes at once, under a limit of 6, and after an update. */
  readonly pids: { readonly before: number; readonly after: number };
  /** Exit codes of 40 MiB written to shared memory: with a limit of 64 MiB, and after an update to 24 MiB, which the record tells. */
  readonly memory: { readonly before: number; readonly after: number; readonly toldOf: boolean };
  /** Milliseconds in which 3 MiB were read from a disk: unlimited, and with a limit of a mebibyte a second. */
  readonly disk: { readonly freeMs: number; readonly limitedMs: number };
  readonly refused: { readonly code: string; readonly cpus: string; readonly file: string; readonly weight: string };
  /** Limits that an update changed which a crash had cut off, after the engine was back. */
  readonly recovered: Files;
  readonly elapsedMs: Readonly<Record<string, number>>;
}

const run = promisify(execFile);
const MEBIBYTE = 2 ** 20;
const spin = 'while :; do :; done';
await run('mkswap', ['/dev/vdb']);
await run('swapon', ['/dev/vdb']);
await using host = await NetworkNamespace.create();
const archive = '/run/busybox.tar';
await writeBusyboxArchive(archive);
let engine = await RemoteEngine.start(host.name, '/run/data');
await using stack = new AsyncDisposableStack();
stack.defer(() => engine[Symbol.asyncDispose]());
const imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
const place = await engine.call('place');

const start = (script: string, options: Record<string, unknown> = {}): Promise<GuestContainer> =>
  GuestContainer.start(engine, imageId, script, options);
const update = (container: GuestContainer, resources: ContainerUpdate['resources']): Promise<void> =>
  engine.call('update', container.id, resources === undefined ? {} : { resources });

async function observe(script: string, options: Record<string, unknown>, signal?: string) {
  const container = await start(script, options);
  const limits = await container.files(['memory.max', 'memory.swap.max', 'pids.max']);
  return { limits, ...(await container.end(signal)) };
}

const memory = { memoryBytes: 32 * MEBIBYTE, memorySwapBytes: 32 * MEBIBYTE };
const fill = 'busybox head -c 41943040 /dev/zero >/dev/shm/x';

async function allLimits(): Promise<GuestReport['all']> {
  const rate = [{ path: '/dev/vda', rate: MEBIBYTE }];
  const container = await start('sleep 600', {
    ...{ memoryBytes: 64 * MEBIBYTE, memorySwapBytes: 96 * MEBIBYTE, memoryReservationBytes: 16 * MEBIBYTE },
    ...{ pidsLimit: 9, cpuShares: 512, nanoCpus: 500_000_000, cpusetCpus: '1', cpusetMems: '0', blockWeight: 500 },
    ...{ blockReadBytesPerSecond: rate, blockWriteBytesPerSecond: rate, blockWritesPerSecond: rate },
    hugepageLimits: [{ pageSize: '2MB', limit: 4 * MEBIBYTE }],
    unifiedLimits: { 'memory.high': `${48 * MEBIBYTE}` },
  });
  const names = ['memory.max', 'memory.swap.max', 'memory.low', 'memory.high', 'pids.max', 'cpu.weight', 'cpu.max'];
  const more = ['cpuset.cpus', 'cpuset.mems', 'io.max', 'io.weight', 'io.bfq.weight', 'hugetlb.2MB.max'];
  const seen = { files: await container.files([...names, ...more]), cpus: await container.status('Cpus_allowed_list') };
  await container.end('SIGKILL');
  return seen;
}

async function swap(): Promise<GuestReport['swap']> {
  const limits = { memoryBytes: 24 * MEBIBYTE, memorySwapBytes: 64 * MEBIBYTE };
  const container = await start(`${fill}; sleep 600`, limits);
  const full = async (): Promise<boolean> =>
    (await container.exec('test $(busybox stat -c %s /dev/shm/x) = 41943040')).exitCode === 0;
  for (let tries = 0; tries < 100 && !(await full()); tries += 1) await delay(200);
  const usedBytes = Number(await container.file('memory.swap.current'));
  await container.end('SIGKILL');
  const { limits: _, ...without } = await observe(fill, { ...limits, memorySwapBytes: limits.memoryBytes });
  return { usedBytes, without };
}

async function quota(): Promise<GuestReport['quota']> {
  const container = await start(spin, { nanoCpus: 200_000_000 });
  const before = await container.cpuShare(3000);
  const throttled = Number(/^nr_throttled (\d+)$/m.exec(await container.file('cpu.stat'))?.[1]);
  await update(container, { nanoCpus: 600_000_000 });
  const after = await container.cpuShare(3000);
  await container.end('SIGKILL');
  return { before, throttled, after };
}

async function weights(): Promise<GuestReport['weights']> {
  const [one, other] = [
    await start(spin, { cpusetCpus: '1', cpuShares: 2048 }),
    await start(spin, { cpusetCpus: '1', cpuShares: 256 }),
  ];
  const [heavy, light] = await Promise.all([one.cpuShare(4000), other.cpuShare(4000)]);
  for (const container of [one, other]) await container.end('SIGKILL');
  return { heavy, light };
}

/** What an update does to a process that runs. */
async function updates(): Promise<Pick<GuestReport, 'cpuset' | 'pids' | 'memory' | 'refused'>> {
  const container = await start('sleep 600', {
    ...{ cpusetCpus: '0', pidsLimit: 6, memoryBytes: 64 * MEBIBYTE, memorySwapBytes: 64 * MEBIBYTE },
  });
  const cpus = (): Promise<string> => container.status('Cpus_allowed_list');
  const ten = async (): Promise<number> =>
    (await container.exec('for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait')).exitCode;
  const filled = async (): Promise<number> =>
    (await container.exec(`${fill}; code=$?; rm /dev/shm/x; exit $code`)).exitCode;
  // Those of the ten that could be started are still there afterwards, so they come last.
  const before = { cpuset: await cpus(), memory: await filled(), pids: await ten() };
  const less = 24 * MEBIBYTE;
  await update(container, { cpusetCpus: '1', pidsLimit: 0, memoryBytes: less, memorySwapBytes: less });
  const after = { cpuset: await cpus(), memory: await filled(), pids: await ten() };
  const code = await update(container, { cpuShares: 2, cpusetCpus: '99999' }).then(
    () => 'accepted',
    (error: { code?: string }) => error.code ?? 'no code',
  );
  const { config, oomKilled, state } = await container.record();
  const refused = {
    ...{ code, cpus: config.cpusetCpus },
    ...{ file: await container.file('cpuset.cpus'), weight: await container.file('cpu.weight') },
  };
  await container.end('SIGKILL');
  const pair = <Key extends keyof typeof before>(key: Key) => ({ before: before[key], after: after[key] });
  const toldOf = oomKilled && state === 'running';
  return { cpuset: pair('cpuset'), pids: pair('pids'), memory: { ...pair('memory'), toldOf }, refused };
}

/** As if the runner had been killed between writing an update down and giving it to the kernel. */
async function recovered(): Promise<GuestReport['recovered']> {
  const container = await start('sleep 600', { pidsLimit: 6, nanoCpus: 500_000_000 });
  await engine.kill();
  {
    using database = new DatabaseSync('/run/data/runner.db');
    const changed = "update containers set config = json_set(config, '$.pidsLimit', 11, '$.nanoCpus', 0) where id = ?";
    database.prepare(changed).run(container.id);
  }
  engine = await RemoteEngine.start(host.name, '/run/data');
  const files = await container.files(['pids.max', 'cpu.max']);
  await engine.call('remove', container.id, { force: true });
  return files;
}

/**
 * A process of ours in the container's cgroup reads the disk: the container has no such device. It is opened before, since
 * the cgroup may not open it either; each reads another part, which is in no cache.
 */
async function disk(): Promise<GuestReport['disk']> {
  const timed = async (options: Record<string, unknown>, skip: number): Promise<number> => {
    const container = await start('sleep 600', options);
    const script = 'exec </dev/vda; echo $$ >"$0/cgroup.procs"; exec busybox dd of=/dev/null bs=256k count=12 skip=$1';
    const from = performance.now();
    await run('sh', ['-c', script, container.directory, `${skip}`]);
    const ms = performance.now() - from;
    await container.end('SIGKILL');
    return ms;
  };
  const freeMs = await timed({}, 0);
  return { freeMs, limitedMs: await timed({ blockReadBytesPerSecond: [{ path: '/dev/vda', rate: MEBIBYTE }] }, 200) };
}

const elapsedMs: Record<string, number> = {};
async function step<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const from = performance.now();
  const result = await work();
  elapsedMs[name] = Math.round(performance.now() - from);
  return result;
}

const report: GuestReport = {
  controllers: (await readFile(join(place.cgroup, 'cgroup.controllers'), 'utf8')).trim().split(' '),
  all: await step('all', allLimits),
  // tail keeps what it reads of an endless line. The sleep lets the limits be read first.
  overMemory: await step('over memory', () => observe('sleep 2; busybox tail /dev/zero; echo survived', memory)),
  underMemory: await step('under memory', () => observe('echo fine', memory)),
  killed: await step('killed', () => observe('sleep 600', memory, 'SIGKILL')),
  overPids: await step('over pids', () =>
    observe('sleep 2; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo not reached', { pidsLimit: 8 }),
  ),
  swap: await step('swap', swap),
  quota: await step('quota', quota),
  weights: await step('weights', weights),
  ...(await step('updates', updates)),
  disk: await step('disk', disk),
  recovered: await step('recovered', recovered),
  elapsedMs,
};
await engine.call('clear');
await writeFile('/exchange/report.json', JSON.stringify(report));
