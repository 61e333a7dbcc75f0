import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ended, GuestContainer } from './guest-containers.ts';
import { MEBIBYTE, probe, withProbe, type GuestHost } from './guest-host.ts';

/** What was written to shared memory until it could not be, and the most that was then in swap. MiB. */
export interface Filled extends Ended {
  readonly reachedMib: number;
  readonly swappedMib: number;
}

/** Bytes that two containers lost when the kernel took memory back from both: one had a reservation. */
interface TakenBack {
  readonly kept: number;
  readonly other: number;
}

export interface MemoryReport {
  readonly limits: Readonly<Record<string, string>>;
  /** 64 MiB of memory: without swap, and with 32 MiB of it. */
  readonly withoutSwap: Filled;
  readonly withSwap: Filled;
  readonly underLimit: Ended;
  readonly killed: Ended;
  /** It held 24 MiB when its limit became 8. */
  readonly lowered: Ended;
  /**
   * `updated`: the reservation was taken from the first and given to the other. `subtree`: memory.low of the runner's
   * subtree with the containers, and after their end.
   */
  readonly reservation: {
    readonly asked: TakenBack;
    readonly updated: TakenBack;
    readonly subtree: readonly string[];
  };
}

const fill = `i=0; while busybox head -c 8388608 /dev/zero >/dev/shm/$i; do
  i=$((i+1)); echo $((i*8)) $(cat /sys/fs/cgroup/memory.swap.current); done; exit 3`;

export async function observeMemory(host: GuestHost): Promise<MemoryReport> {
  const small = { memoryBytes: 64 * MEBIBYTE, memorySwapBytes: 64 * MEBIBYTE };
  const waiting = await host.start('sleep 600', small);
  const limits = await waiting.files(['memory.max', 'memory.swap.max']);
  const killed = await waiting.end('SIGKILL');
  return {
    limits,
    killed,
    withoutSwap: await filled(host, small),
    withSwap: await filled(host, { ...small, memorySwapBytes: 96 * MEBIBYTE }),
    underLimit: await host.run('echo fine', small),
    lowered: await lowered(host),
    reservation: await reservation(host),
  };
}

async function filled(host: GuestHost, limits: Record<string, number>): Promise<Filled> {
  const ended = await host.run(fill, { ...limits, shmBytes: 256 * MEBIBYTE });
  const lines = [...ended.log.matchAll(/^(\d+) (\d+)$/gm)].map(([, mib, swap]) => [Number(mib), Number(swap)] as const);
  const most = (at: 0 | 1): number => Math.max(0, ...lines.map((line) => line[at]));
  return { ...ended, reachedMib: most(0), swappedMib: most(1) / MEBIBYTE };
}

async function lowered(host: GuestHost): Promise<Ended> {
  const limits = { memoryBytes: 64 * MEBIBYTE, memorySwapBytes: 64 * MEBIBYTE };
  const container = await host.start(`exec ${probe} hold 24`, { ...withProbe, ...limits });
  await container.says('held');
  await host.update(container, { memoryBytes: 8 * MEBIBYTE, memorySwapBytes: 8 * MEBIBYTE });
  return container.end();
}

/** Both are in a cgroup parent: what is above a container must not take from it what it was promised. */
async function reservation(host: GuestHost): Promise<MemoryReport['reservation']> {
  const all = { memoryReservationBytes: 64 * MEBIBYTE };
  const hold = `exec ${probe} hold 32`;
  const first = await host.start(hold, { ...withProbe, cgroupParent: 'batch/night', ...all });
  const second = await host.start(hold, { ...withProbe, cgroupParent: 'batch/day' });
  for (const container of [first, second]) await container.says('held');
  const asked = await takeBack(host, first, second);
  await host.update(first, { memoryReservationBytes: 0 });
  await host.update(second, all);
  const updated = await takeBack(host, second, first);
  const promised = await host.file('memory.low');
  for (const container of [first, second]) await container.end('SIGKILL');
  return { asked, updated, subtree: [promised, await host.file('memory.low')] };
}

/** The kernel is asked for 8 MiB of all containers, as it does by itself when the host is short of memory. */
async function takeBack(host: GuestHost, kept: GuestContainer, other: GuestContainer): Promise<TakenBack> {
  const current = (): Promise<number[]> => Promise.all([kept, other].map((one) => one.count('memory.current')));
  const before = await current();
  // EAGAIN: it could not take as much. What it took is what counts.
  await writeFile(join(host.cgroup, 'memory.reclaim'), `${8 * MEBIBYTE}`).catch(() => undefined);
  const after = await current();
  const [one = NaN, two = NaN] = before.map((bytes, at) => bytes - (after[at] ?? 0));
  return { kept: one, other: two };
}
