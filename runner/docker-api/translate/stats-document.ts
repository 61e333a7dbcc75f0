import type { HostFacts } from '#shared/model/host.ts';
import type { ContainerRecord } from '../../container/engine.ts';
import { networkCounters } from './network-counters.ts';
import { pressureOf } from './pressure.ts';

/** The kernel's files about a container, as texts; empty where there is none. */
export interface StatsSample {
  readonly atMs: number;
  readonly running: boolean;
  readonly cpu: string;
  readonly memory: string;
  readonly memoryMax: string;
  readonly memoryStat: string;
  readonly memoryEvents: string;
  readonly pids: string;
  readonly pidsMax: string;
  readonly io: string;
  readonly cpuPressure: string;
  readonly memoryPressure: string;
  readonly ioPressure: string;
  /** /proc/stat of the host. */
  readonly system: string;
  /** /proc/PID/net/dev */
  readonly network: string;
}

export const emptySample: StatsSample = {
  atMs: 0,
  running: false,
  cpu: '',
  memory: '',
  memoryMax: '',
  memoryStat: '',
  memoryEvents: '',
  pids: '',
  pidsMax: '',
  io: '',
  cpuPressure: '',
  memoryPressure: '',
  ioPressure: '',
  system: '',
  network: '',
};

type Document = Readonly<Record<string, unknown>>;

/** ContainerStatsResponse of the Docker Engine API; `pressure_stats` is ours. */
export function statsDocument(
  record: ContainerRecord,
  now: StatsSample,
  before: StatsSample | undefined,
  host: HostFacts,
): Document {
  return {
    name: `/${record.config.name}`,
    id: record.id,
    read: now.running ? new Date(now.atMs).toISOString() : '0001-01-01T00:00:00Z',
    preread: before?.running === true ? new Date(before.atMs).toISOString() : '0001-01-01T00:00:00Z',
    pids_stats: now.running ? { current: Number(now.pids), ...limit(now.pidsMax) } : {},
    blkio_stats: blockStats(now.io),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(now, host),
    precpu_stats: cpuStats(before ?? emptySample, host),
    memory_stats: now.running ? memoryStats(now, host) : {},
    ...(now.running ? pressureStats(now) : {}),
    ...(now.running ? { networks: networkCounters(now.network) } : {}),
  };
}

function limit(text: string): Document {
  return /^\d+/.test(text) ? { limit: Number(text) } : {};
}

function cpuStats(sample: StatsSample, host: HostFacts): Document {
  const usec = keyed(sample.cpu);
  const nanoseconds = 1000;
  return {
    cpu_usage: {
      total_usage: (usec['usage_usec'] ?? 0) * nanoseconds,
      usage_in_kernelmode: (usec['system_usec'] ?? 0) * nanoseconds,
      usage_in_usermode: (usec['user_usec'] ?? 0) * nanoseconds,
    },
    ...(sample.running ? { system_cpu_usage: systemNanoseconds(sample.system), online_cpus: host.cpus } : {}),
    throttling_data: {
      periods: usec['nr_periods'] ?? 0,
      throttled_periods: usec['nr_throttled'] ?? 0,
      throttled_time: (usec['throttled_usec'] ?? 0) * nanoseconds,
    },
  };
}

/** All the time that the host's processors counted, which /proc/stat tells in hundredths of a second. */
function systemNanoseconds(text: string): number {
  const words = text.split('\n', 1)[0]?.split(/\s+/).slice(1, 8) ?? [];
  return words.reduce((sum, word) => sum + (Number(word) || 0), 0) * 10_000_000;
}

function memoryStats(sample: StatsSample, host: HostFacts): Document {
  const max = Number.parseInt(sample.memoryMax, 10);
  return {
    usage: Number.parseInt(sample.memory, 10) || 0,
    stats: keyed(sample.memoryStat),
    ...(keyed(sample.memoryEvents)['oom'] === undefined ? {} : { failcnt: keyed(sample.memoryEvents)['oom'] }),
    limit: Number.isNaN(max) || max > host.memoryBytes ? host.memoryBytes : max,
  };
}

/** What of it the kernel tells; nothing without PSI. */
function pressureStats({ cpuPressure, memoryPressure, ioPressure }: StatsSample): Document {
  const texts = { cpu: cpuPressure, memory: memoryPressure, io: ioPressure };
  const entries = Object.entries(texts).map(([name, text]) => [name, pressureOf(text)] as const);
  const known = entries.filter(([, pressure]) => pressure !== undefined);
  return known.length === 0 ? {} : { pressure_stats: Object.fromEntries(known) };
}

function blockStats(text: string): Document {
  const entries = text.split('\n').flatMap((line) => {
    const [device = '', ...pairs] = line.split(' ');
    const [major = 0, minor = 0] = device.split(':').map(Number);
    const values = keyed(pairs.map((pair) => pair.replace('=', ' ')).join('\n'));
    if (pairs.length === 0) return [];
    const entry = (op: string, name: string): Document => ({ major, minor, op, value: values[name] ?? 0 });
    return [entry('read', 'rbytes'), entry('write', 'wbytes')];
  });
  const none = null;
  return {
    io_service_bytes_recursive: entries.length === 0 ? none : entries,
    io_serviced_recursive: none,
    io_queue_recursive: none,
    io_service_time_recursive: none,
    io_wait_time_recursive: none,
    io_merged_recursive: none,
    io_time_recursive: none,
    sectors_recursive: none,
  };
}

/** Lines of a name and a number. */
function keyed(text: string): Readonly<Record<string, number>> {
  const pairs = text.split('\n').map((line) => line.split(' '));
  return Object.fromEntries(
    pairs.filter((pair) => pair.length === 2).map(([name = '', value]) => [name, Number(value)]),
  );
}
