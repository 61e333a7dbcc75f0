import { existsSync } from 'node:fs';
import type { Ended } from './guest-containers.ts';
import { MEBIBYTE, type GuestHost } from './guest-host.ts';

/** A container that another OCI runtime made: first it wants more processes than it may have, then more memory. */
export interface RuntimeReport extends Ended {
  readonly name: string;
  /** Of the cgroup that the engine made: before and after an update. */
  readonly limits: Readonly<Record<string, string>>;
  readonly updated: Readonly<Record<string, string>>;
  /** Whether its first process is in that cgroup. */
  readonly inside: boolean;
}

const script = `(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 600 & done; echo not reached)
trap 'go=1' USR1; echo ready; while [ -z "$go" ]; do busybox usleep 50000; done; exec busybox tail /dev/zero`;

/** runc is in the image of the virtual machine; crun is tried where this machine has it. */
export async function observeRuntimes(host: GuestHost): Promise<readonly RuntimeReport[]> {
  const reports: RuntimeReport[] = [];
  for (const name of existsSync('/usr/bin/crun') ? ['runc', 'crun'] : ['runc']) {
    reports.push(await observeRuntime(host, name));
  }
  return reports;
}

async function observeRuntime(host: GuestHost, name: string): Promise<RuntimeReport> {
  const limits = { memoryBytes: 64 * MEBIBYTE, memorySwapBytes: 64 * MEBIBYTE, pidsLimit: 8 };
  const container = await host.start(script, { runtime: name, ...limits });
  await container.says('fork');
  const names = ['memory.max', 'memory.swap.max', 'pids.max'];
  const seen = await container.files(names);
  await host.update(container, { memoryBytes: 32 * MEBIBYTE, memorySwapBytes: 32 * MEBIBYTE, pidsLimit: 12 });
  const updated = await container.files(names);
  const { pid } = await container.record();
  const inside = (await container.file('cgroup.procs')).split('\n').includes(String(pid));
  await container.says('ready');
  await container.signal('SIGUSR1');
  return { name, limits: seen, updated, inside, ...(await container.end()) };
}
