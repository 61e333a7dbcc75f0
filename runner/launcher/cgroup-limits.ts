import type { BlockDevice, BlockDeviceRate, RuntimeResources } from '#shared/oci/runtime-spec.ts';

/** A file of a cgroup and what is written to it. */
export type CgroupFile = readonly [name: string, value: string];

/**
 * cpu.weight (1 to 10000) of Docker's CPU shares (2 to 262144): the curve that maps the default 1024 to the default 100.
 */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** io.weight (1 to 10000) of a block weight (10 to 1000), on a straight line, as runc does it. */
export function ioWeight(blockWeight: number): number {
  return 1 + Math.floor(((Math.min(Math.max(blockWeight, 10), 1000) - 10) * 9999) / 990);
}

/** -1 is how the OCI spec and Docker say "no limit". */
function limitText(value: number): string {
  return value < 0 ? 'max' : String(value);
}

/** memory.swap.max counts swap alone, Docker's value memory and swap together. */
function memoryFiles(memory: NonNullable<RuntimeResources['memory']>): CgroupFile[] {
  const files: CgroupFile[] = [];
  if (memory.limit !== undefined) files.push(['memory.max', limitText(memory.limit)]);
  if (memory.reservation !== undefined) files.push(['memory.low', limitText(memory.reservation)]);
  if (memory.swap !== undefined) {
    const limit = memory.limit ?? 0;
    files.push(['memory.swap.max', memory.swap < 0 ? 'max' : String(Math.max(0, memory.swap - limit))]);
  }
  return files;
}

function cpuFiles(cpu: NonNullable<RuntimeResources['cpu']>): CgroupFile[] {
  const files: CgroupFile[] = [];
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
 * A weight is written for both that may heed it, the scheduler BFQ and the controller of I/O cost. That of one device is
 * written for BFQ where this kernel has it, as runc does it: the other refuses devices that it was not configured for.
 */
function blockFiles(block: NonNullable<RuntimeResources['blockIO']>, hasBfq: boolean): CgroupFile[] {
  const files: CgroupFile[] = [];
  if (block.weight !== undefined) {
    files.push(['io.bfq.weight', `default ${block.weight}`], ['io.weight', `default ${ioWeight(block.weight)}`]);
  }
  for (const one of block.weightDevice ?? []) {
    if (hasBfq) files.push(['io.bfq.weight', `${device(one)} ${one.weight}`]);
    else files.push(['io.weight', `${device(one)} ${ioWeight(one.weight)}`]);
  }
  const rates: readonly (readonly [string, readonly BlockDeviceRate[] | undefined])[] = [
    ['rbps', block.throttleReadBpsDevice],
    ['wbps', block.throttleWriteBpsDevice],
    ['riops', block.throttleReadIOPSDevice],
    ['wiops', block.throttleWriteIOPSDevice],
  ];
  for (const [key, list] of rates) {
    // A rate of 0 is how Docker takes a limit away.
    for (const one of list ?? []) files.push(['io.max', `${device(one)} ${key}=${one.rate === 0 ? 'max' : one.rate}`]);
  }
  return files;
}

function device({ major, minor }: BlockDevice): string {
  return `${major}:${minor}`;
}

/**
 * The writes to cgroup v2 files that set these limits, in their order. Files that a container's cgroup does not have on
 * this host are left out: the engine has warned about them (or refused) before.
 *
 * @param there controllers that containers get
 * @param files the files that a cgroup has here; unknown: those of the controllers
 *
 * Source: kernel Documentation/admin-guide/cgroup-v2.rst; runtime-spec config-linux.md.
 */
export function cgroupFiles(
  resources: RuntimeResources,
  there: readonly string[],
  files?: readonly string[],
): readonly CgroupFile[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, unified } = resources;
  const writes: CgroupFile[] = [];
  if (memory !== undefined) writes.push(...memoryFiles(memory));
  if (cpu !== undefined) writes.push(...cpuFiles(cpu));
  if (pids !== undefined) writes.push(['pids.max', pids.limit <= 0 ? 'max' : String(pids.limit)]);
  if (blockIO !== undefined) writes.push(...blockFiles(blockIO, files?.includes('io.bfq.weight') === true));
  for (const { pageSize, limit } of hugepageLimits ?? []) {
    writes.push([`hugetlb.${pageSize}.max`, String(limit)], [`hugetlb.${pageSize}.rsvd.max`, String(limit)]);
  }
  writes.push(...Object.entries(unified ?? {}));
  const controllers = new Set(['cgroup', ...there]);
  const known = files === undefined ? undefined : new Set(files);
  return writes.filter(([name]) => {
    if (!controllers.has(name.split('.')[0] ?? '')) return false;
    if (known !== undefined) return known.has(name);
    return name !== 'io.bfq.weight' && !name.endsWith('.rsvd.max'); // not on every kernel
  });
}

/** What is written where a limit is taken away. */
const unlimited: Readonly<Record<string, string>> = {
  'memory.max': 'max',
  'memory.low': '0',
  'memory.swap.max': 'max',
  'cpu.weight': '100',
  'cpu.max': 'max 100000',
  'cpuset.cpus': '\n',
  'cpuset.mems': '\n',
  'pids.max': 'max',
  'io.weight': 'default 100',
  'io.bfq.weight': 'default 100',
};

/** What a write changes: the file, or the one line, or value in a line, that it names. */
function target([name, value]: CgroupFile): string {
  if (!/^io\.(max|weight|bfq\.weight)$/.test(name)) return name;
  return `${name} ${value.split(name === 'io.max' ? '=' : ' ')[0]}`;
}

function lifted(file: CgroupFile): CgroupFile[] {
  const [name] = file;
  const [, line = ''] = target(file).split(/ (.*)/);
  if (name === 'io.max') return [[name, `${line}=max`]];
  if (line !== '' && line !== 'default') return [[name, `${line} default`]];
  if (name.startsWith('hugetlb.')) return [[name, 'max']];
  const value = unlimited[name];
  return value === undefined ? [] : [[name, value]];
}

/** The writes that make a cgroup with the limits of `before` one with those of `after`. */
export function changedFiles(before: readonly CgroupFile[], after: readonly CgroupFile[]): readonly CgroupFile[] {
  const had = new Set(before.map(([name, value]) => `${name} ${value}`));
  const kept = new Set(after.map(target));
  return [
    ...before.filter((file) => !kept.has(target(file))).flatMap(lifted),
    ...after.filter(([name, value]) => !had.has(`${name} ${value}`)),
  ];
}
