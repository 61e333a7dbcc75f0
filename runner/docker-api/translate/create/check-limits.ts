import { BerthError } from '#shared/errors.ts';
import { parseCpuList } from './cpu-list.ts';
import type { ResourcesBody } from './resource-fields.ts';

/** What a host can limit. */
export interface HostLimits {
  readonly controllers: readonly string[];
  /** Processors that containers can use. */
  readonly cpus: number;
  /** Swap can be limited apart from memory. */
  readonly swap: boolean;
  /** A device's time can be shared by weight. */
  readonly blockWeight: boolean;
  /** cpuset.cpus.effective and cpuset.mems.effective of the runner's subtree. */
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
}

export interface CheckedLimits<T extends ResourcesBody> {
  /** Without what this host cannot enforce. */
  readonly limits: T;
  readonly warnings: readonly string[];
}

const minMemoryBytes = 6 * 1024 * 1024;
const notMounted = 'or the cgroup is not mounted';

/**
 * Refuses limits that make no sense, and takes away, with a warning each, those that this host cannot enforce: dockerd's
 * rules and texts for cgroup v2 (moby daemon_unix.go, verifyPlatformContainerResources), in its order.
 *
 * @param what an update may give a swap limit alone
 * @throws BerthError `docker.limit-invalid`
 */
export function checkLimits<T extends ResourcesBody>(
  asked: T,
  host: HostLimits,
  what: 'create' | 'update',
): CheckedLimits<T> {
  const warnings: string[] = [];
  const limits = { ...asked };
  const check: Check = { limits, host, warn: (text) => warnings.push(text) };
  checkRealtime(limits);
  checkQuality(limits);
  checkMemory(check, what);
  checkDiscarded(check);
  checkPids(check);
  checkCpu(check);
  checkCpuset(check);
  checkBlock(check);
  checkUlimits(limits);
  return { limits, warnings };
}

interface Check {
  readonly limits: ResourcesBody;
  readonly host: HostLimits;
  readonly warn: (text: string) => void;
}

function invalid(text: string): BerthError {
  return new BerthError('invalid', 'docker.limit-invalid', text);
}

function checkRealtime({ CpuRealtimePeriod: period, CpuRealtimeRuntime: runtime }: ResourcesBody): void {
  if (period || runtime) throw invalid('kernel does not support CPU real-time scheduler');
}

function checkQuality({ IOMaximumBandwidth: bandwidth, IOMaximumIOps: operations }: ResourcesBody): void {
  const text = 'Invalid QoS settings: linux does not support configuration of maximum';
  if (bandwidth) throw invalid(`${text} bandwidth`);
  if (operations) throw invalid(`${text} IOPs`);
}

function checkMemory({ limits, host, warn }: Check, what: 'create' | 'update'): void {
  const has = host.controllers.includes('memory');
  const memory = limits.Memory ?? 0;
  if (memory !== 0 && memory < minMemoryBytes) throw invalid('Minimum memory limit allowed is 6MB');
  if (memory > 0 && !has) {
    warn(`Your kernel does not support memory limit capabilities ${notMounted}. Limitation discarded.`);
    Object.assign(limits, { Memory: 0, MemorySwap: -1 });
  }
  if (limits.Memory && limits.MemorySwap !== -1 && !host.swap) {
    warn(`Your kernel does not support swap limit capabilities ${notMounted}. Memory limited without swap.`);
    limits.MemorySwap = -1;
  }
  const swap = limits.MemorySwap ?? 0;
  if (limits.Memory && swap > 0 && swap < limits.Memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (!limits.Memory && swap > 0 && what === 'create') {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (limits.MemorySwappiness === -1) limits.MemorySwappiness = null;
  if (limits.MemorySwappiness != null) {
    warn(`Your kernel does not support memory swappiness capabilities ${notMounted}. Memory swappiness discarded.`);
    limits.MemorySwappiness = null;
  }
  if ((limits.MemoryReservation ?? 0) > 0 && !has) {
    warn(`Your kernel does not support memory soft limit capabilities ${notMounted}. Limitation discarded.`);
    limits.MemoryReservation = 0;
  }
  const reservation = limits.MemoryReservation ?? 0;
  if (reservation < 0 || (reservation > 0 && reservation < minMemoryBytes)) {
    throw invalid('Minimum memory reservation allowed is 6MB');
  }
  if (limits.Memory && reservation > limits.Memory) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

/** What no cgroup v2 has. */
function checkDiscarded({ limits, warn }: Check): void {
  if ((limits.KernelMemory ?? 0) > 0) {
    warn(`Your kernel does not support kernel memory limit capabilities ${notMounted}. Limitation discarded.`);
    limits.KernelMemory = 0;
  }
  if (limits.OomKillDisable === true) {
    warn('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
  }
  limits.OomKillDisable = null;
}

function checkPids({ limits, host, warn }: Check): void {
  if (limits.PidsLimit == null || host.controllers.includes('pids')) return;
  if (limits.PidsLimit > 0) {
    warn(`Your kernel does not support pids limit capabilities ${notMounted}. PIDs limit discarded.`);
  }
  limits.PidsLimit = null;
}

function checkCpu({ limits, host, warn }: Check): void {
  const has = host.controllers.includes('cpu');
  const { NanoCpus, CpuPeriod, CpuQuota, CpuShares } = limits;
  const nano = NanoCpus ?? 0;
  if (nano > 0 && (CpuPeriod ?? 0) > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (nano > 0 && (CpuQuota ?? 0) > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  if (nano > 0 && !has) {
    throw invalid(`NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler ${notMounted}`);
  }
  if (nano < 0 || nano > host.cpus * 1e9) {
    const { cpus } = host;
    throw invalid(`Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if ((CpuShares ?? 0) < 0) throw invalid('shares: invalid argument');
  if ((CpuShares ?? 0) > 0 && !has) {
    warn(`Your kernel does not support CPU shares ${notMounted}. Shares discarded.`);
    limits.CpuShares = 0;
  }
  if ((CpuPeriod || CpuQuota) && !has) {
    warn('Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.');
    Object.assign(limits, { CpuPeriod: 0, CpuQuota: 0 });
  }
  const period = limits.CpuPeriod ?? 0;
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  const quota = limits.CpuQuota ?? 0;
  if (quota > 0 && quota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if ((limits.CpuPercent ?? 0) > 0) {
    warn('linux does not support CPU percent. Percent discarded.');
    limits.CpuPercent = 0;
  }
}

function checkCpuset({ limits, host, warn }: Check): void {
  if ((limits.CpusetCpus || limits.CpusetMems) && !host.controllers.includes('cpuset')) {
    warn(`Your kernel does not support cpuset ${notMounted}. Cpuset discarded.`);
    Object.assign(limits, { CpusetCpus: '', CpusetMems: '' });
  }
  checkList(limits.CpusetCpus ?? '', host.cpusetCpus, { kind: 'cpus', name: 'CPUs' });
  checkList(limits.CpusetMems ?? '', host.cpusetMems, { kind: 'mems', name: 'memory nodes' });
}

function checkList(wanted: string, available: string, { kind, name }: { kind: string; name: string }): void {
  if (wanted === '') return;
  const shown = wanted.slice(0, 120);
  const numbers = parseCpuList(wanted);
  if (numbers === undefined) throw invalid(`Invalid value ${shown} for cpuset ${kind}: invalid format: ${shown}`);
  const there = parseCpuList(available) ?? new Set<number>();
  if ([...numbers].every((number) => there.has(number))) return;
  throw invalid(`Requested ${name} are not available - requested ${shown}, available: ${available}`);
}

const blockLists = [
  ['BlkioDeviceReadBps', 'BPS Block I/O read limit', 'Block I/O BPS read limit'],
  ['BlkioDeviceWriteBps', 'BPS Block I/O write limit', 'Block I/O BPS write limit'],
  ['BlkioDeviceReadIOps', 'IOPS Block read limit', 'Block I/O IOPS read limit'],
  ['BlkioDeviceWriteIOps', 'IOPS Block write limit', 'Block I/O IOPS write limit'],
] as const;

function checkBlock({ limits, host, warn }: Check): void {
  const has = host.controllers.includes('io');
  const weighs = has && host.blockWeight;
  if ((limits.BlkioWeight ?? 0) > 0 && !weighs) {
    warn(`Your kernel does not support Block I/O weight ${notMounted}. Weight discarded.`);
    limits.BlkioWeight = 0;
  }
  const outside = (weight: number): boolean => weight !== 0 && (weight < 10 || weight > 1000);
  if (outside(limits.BlkioWeight ?? 0)) throw invalid('Range of blkio weight is from 10 to 1000');
  if ((limits.BlkioWeightDevice ?? []).length > 0 && !weighs) {
    warn(`Your kernel does not support Block I/O weight_device ${notMounted}. Weight-device discarded.`);
    limits.BlkioWeightDevice = [];
  }
  if ((limits.BlkioWeightDevice ?? []).some(({ Weight }) => outside(Weight))) {
    throw invalid('Range of blkio weight is from 10 to 1000');
  }
  for (const [field, support, thing] of blockLists) {
    if (has || (limits[field] ?? []).length === 0) continue;
    warn(`Your kernel does not support ${support} ${notMounted}. ${thing} discarded.`);
    limits[field] = [];
  }
}

const ulimitNames = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

/** The rules of the clients' own parser (go-units ulimit.go): -1 is no limit. */
function checkUlimits({ Ulimits: ulimits }: ResourcesBody): void {
  for (const { Name: name, Soft: soft, Hard: hard } of ulimits ?? []) {
    if (!ulimitNames.has(name.toLowerCase())) throw invalid(`invalid ulimit type: ${name.slice(0, 80)}`);
    const text = 'ulimit soft limit must be less than or equal to hard limit';
    if (hard !== -1 && soft === -1) throw invalid(`${text}: soft: -1 (unlimited), hard: ${hard}`);
    if (hard !== -1 && soft > hard) throw invalid(`${text}: ${soft} > ${hard}`);
  }
}
