import type { RuntimeResources } from '#shared/oci/runtime-spec.ts';

/**
 * cpu.weight (1 to 10000) of Docker's CPU shares (2 to 262144): the curve that maps the default 1024 to the default 100.
 */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** -1 is how the OCI spec and Docker say "no limit". */
function limitText(value: number): string {
  return value < 0 ? 'max' : String(value);
}

/** memory.swap.max counts swap alone, Docker's value memory and swap together. */
function memoryFiles(memory: NonNullable<RuntimeResources['memory']>): (readonly [string, string])[] {
  const files: [string, string][] = [];
  if (memory.limit !== undefined) files.push(['memory.max', limitText(memory.limit)]);
  if (memory.reservation !== undefined) files.push(['memory.low', limitText(memory.reservation)]);
  if (memory.swap !== undefined) {
    const limit = memory.limit ?? 0;
    files.push(['memory.swap.max', memory.swap < 0 ? 'max' : String(Math.max(0, memory.swap - limit))]);
  }
  return files;
}

function cpuFiles(cpu: NonNullable<RuntimeResources['cpu']>): (readonly [string, string])[] {
  const files: [string, string][] = [];
  if (cpu.shares !== undefined && cpu.shares > 0) files.push(['cpu.weight', String(weightOfShares(cpu.shares))]);
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    const quota = cpu.quota === undefined || cpu.quota <= 0 ? 'max' : String(cpu.quota);
    files.push(['cpu.max', `${quota} ${cpu.period ?? 100_000}`]);
  }
  if (cpu.cpus !== undefined) files.push(['cpuset.cpus', cpu.cpus]);
  if (cpu.mems !== undefined) files.push(['cpuset.mems', cpu.mems]);
  return files;
}

/**
 * The cgroup v2 files, with their content, that set these limits. Files of controllers that the host lacks are left out:
 * the engine has warned about them (or refused) before.
 *
 * Source: kernel Documentation/admin-guide/cgroup-v2.rst; runtime-spec config-linux.md.
 */
export function cgroupFiles(
  resources: RuntimeResources,
  controllers: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  const files: (readonly [string, string])[] = [];
  if (resources.memory !== undefined) files.push(...memoryFiles(resources.memory));
  if (resources.cpu !== undefined) files.push(...cpuFiles(resources.cpu));
  if (resources.pids !== undefined) {
    files.push(['pids.max', resources.pids.limit <= 0 ? 'max' : String(resources.pids.limit)]);
  }
  files.push(...Object.entries(resources.unified ?? {}));
  const there = new Set(['cgroup', ...controllers]);
  return files.filter(([name]) => there.has(name.split('.')[0] ?? ''));
}
