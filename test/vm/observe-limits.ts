import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Ended } from './guest-containers.ts';
import { MEBIBYTE, probe, withProbe, type GuestHost } from './guest-host.ts';

type Files = Readonly<Record<string, string>>;

export interface LimitsReport {
  /** A container with a limit of every kind. */
  readonly all: { readonly files: Files; readonly cpus: string };
  readonly overPids: Ended & { readonly limit: string };
  /** Exit codes of ten processes at once, under a limit of 6, and after an update. */
  readonly pids: { readonly before: number; readonly after: number };
  /**
   * Exit codes of a process that takes 40 MiB: with a limit of 64 MiB, after an update to 24 MiB, which the record
   * tells, and after one that allows swap.
   */
  readonly memory: {
    readonly before: number;
    readonly after: number;
    readonly toldOf: boolean;
    readonly withSwap: number;
  };
  readonly refused: { readonly code: string; readonly cpus: string; readonly before: Files; readonly after: Files };
  /**
   * Limits that an update changed which a crash had cut off, after the engine was back; and what is reserved of the
   * runner's subtree, which somebody had taken away.
   */
  readonly recovered: { readonly files: Files; readonly subtree: string };
}

export async function observeLimits(host: GuestHost): Promise<LimitsReport> {
  const updates = await observeUpdates(host);
  return { all: await allLimits(host), overPids: await overPids(host), ...updates, recovered: await recovered(host) };
}

async function allLimits(host: GuestHost): Promise<LimitsReport['all']> {
  const rate = [{ path: '/dev/vda', rate: MEBIBYTE }];
  const container = await host.start('sleep 600', {
    memoryBytes: 64 * MEBIBYTE,
    memorySwapBytes: 96 * MEBIBYTE,
    memoryReservationBytes: 16 * MEBIBYTE,
    pidsLimit: 9,
    cpuShares: 512,
    nanoCpus: 500_000_000,
    cpusetCpus: '1',
    cpusetMems: '0',
    blockWeight: 500,
    blockReadBytesPerSecond: rate,
    blockWriteBytesPerSecond: rate,
    blockWritesPerSecond: rate,
    hugepageLimits: [{ pageSize: '2MB', limit: 4 * MEBIBYTE }],
    unifiedLimits: { 'memory.high': `${48 * MEBIBYTE}` },
  });
  const names = ['memory.max', 'memory.swap.max', 'memory.low', 'memory.high', 'pids.max', 'cpu.weight', 'cpu.max'];
  const more = ['cpuset.cpus', 'cpuset.mems', 'io.max', 'io.weight', 'io.bfq.weight', 'hugetlb.2MB.max'];
  const files = await container.files([...names, ...more, 'hugetlb.2MB.rsvd.max']);
  const cpus = await container.status('Cpus_allowed_list');
  await container.end('SIGKILL');
  return { files, cpus };
}

/** The sleep lets the limit be read first. */
async function overPids(host: GuestHost): Promise<LimitsReport['overPids']> {
  const script = 'sleep 2; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo not reached';
  const container = await host.start(script, { pidsLimit: 8 });
  const limit = await container.file('pids.max');
  return { limit, ...(await container.end()) };
}

/** What an update does to a container that runs. */
async function observeUpdates(host: GuestHost): Promise<Pick<LimitsReport, 'pids' | 'memory' | 'refused'>> {
  const container = await host.start('sleep 600', {
    ...withProbe,
    cpusetCpus: '0',
    pidsLimit: 6,
    memoryBytes: 64 * MEBIBYTE,
    memorySwapBytes: 64 * MEBIBYTE,
  });
  const exitCode = async (script: string): Promise<number> => (await container.exec(script)).exitCode;
  const ten = (): Promise<number> => exitCode('for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait');
  // The largest by far in the container: it is what the kernel kills.
  const take = `exec ${probe} take 40`;
  // Those of the ten that could be started are still there afterwards, so they come last.
  const before = { memory: await exitCode(take), pids: await ten() };
  const less = 24 * MEBIBYTE;
  await host.update(container, { cpusetCpus: '1', pidsLimit: 0, memoryBytes: less, memorySwapBytes: less });
  const after = { pids: await ten(), memory: await exitCode(take) };
  const { oomKilled, state } = await container.told(({ oomKilled: told }) => told);
  await host.update(container, { memorySwapBytes: 2 * less });
  const memory = { before: before.memory, after: after.memory, toldOf: oomKilled && state === 'running' };
  const withSwap = await exitCode(take);
  const pids = { before: before.pids, after: after.pids };
  const names = ['cpuset.cpus', 'cpu.weight', 'io.bfq.weight', 'io.weight'];
  const files = await container.files(names);
  const code = await host.refusal(host.update(container, { cpuShares: 2, blockWeight: 900, cpusetMems: '9' }));
  const { config } = await container.record();
  const refused = { code, cpus: config.cpusetCpus, before: files, after: await container.files(names) };
  await container.end('SIGKILL');
  return { pids, memory: { ...memory, withSwap }, refused };
}

/** As if the runner had been killed between writing an update down and giving it to the kernel. */
async function recovered(host: GuestHost): Promise<LimitsReport['recovered']> {
  const container = await host.start('sleep 600', {
    pidsLimit: 6,
    nanoCpus: 500_000_000,
    memoryReservationBytes: 16 * MEBIBYTE,
  });
  await host.crash((path) => {
    writeFileSync(join(host.cgroup, 'memory.low'), '0');
    using database = new DatabaseSync(path);
    const changed = "update containers set config = json_set(config, '$.pidsLimit', 11, '$.nanoCpus', 0) where id = ?";
    database.prepare(changed).run(container.id);
  });
  const files = await container.files(['pids.max', 'cpu.max']);
  const subtree = await host.file('memory.low');
  await host.engine.call('remove', container.id, { force: true });
  return { files, subtree };
}
