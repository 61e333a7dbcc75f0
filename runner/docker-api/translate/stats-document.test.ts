import { expect, test } from 'vitest';
import { plainRecord } from '../../../test/support/plain-container.ts';
import type { HostFacts } from '#shared/model/host.ts';
import { networkCounters } from './network-counters.ts';
import { pressureOf } from './pressure.ts';
import { emptySample, statsDocument, type StatsSample } from './stats-document.ts';

test('every interface but the loopback is counted', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0:     700       9    1    2    0     0          0         0      800       10    3    4    0     0       0          0
  eth1:5 1 0 0 0 0 0 0 6 2 0 0 0 0 0 0
`;
  expect(networkCounters(text)).toEqual({
    eth0: {
      rx_bytes: 700,
      rx_packets: 9,
      rx_errors: 1,
      rx_dropped: 2,
      tx_bytes: 800,
      tx_packets: 10,
      tx_errors: 3,
      tx_dropped: 4,
    },
    eth1: {
      rx_bytes: 5,
      rx_packets: 1,
      rx_errors: 0,
      rx_dropped: 0,
      tx_bytes: 6,
      tx_packets: 2,
      tx_errors: 0,
      tx_dropped: 0,
    },
  });
  expect(networkCounters('')).toEqual({});
});

test('pressure is told as the kernel tells it; nothing where it does not', () => {
  const text = 'some avg10=1.50 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n';
  expect(pressureOf(text)).toEqual({
    some: { avg10: 1.5, avg60: 0, avg300: 0, total_usec: 12 },
    full: { avg10: 0, avg60: 0, avg300: 0, total_usec: 3 },
  });
  expect(pressureOf('')).toBeUndefined();
});

const record = plainRecord();
const host: HostFacts = {
  hostname: 'h',
  os: 'Linux',
  kernel: '6.1',
  cpus: 2,
  memoryBytes: 4096,
  controllers: [],
  runnerVersion: '0',
  architecture: 'amd64',
};

test('what the kernel counts is told as the clients compute with it', () => {
  const now: StatsSample = {
    ...emptySample,
    atMs: 2000,
    running: true,
    cpu: 'usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_throttled 2\n',
    memory: '1000\n',
    memoryMax: '2048\n',
    memoryStat: 'anon 600\ninactive_file 300\n',
    memoryEvents: 'oom 3\noom_kill 1\n',
    pids: '7\n',
    pidsMax: '9\n',
    io: '8:0 rbytes=5 wbytes=6 rios=1 wios=1\n',
    system: 'cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 1\n',
  };
  expect(statsDocument(record, now, undefined, host)).toMatchObject({
    cpu_stats: {
      cpu_usage: { total_usage: 9000, usage_in_usermode: 5000, usage_in_kernelmode: 4000 },
      system_cpu_usage: 1_000_000_000,
      online_cpus: 2,
      throttling_data: { throttled_periods: 2 },
    },
    memory_stats: { usage: 1000, stats: { inactive_file: 300 }, limit: 2048, failcnt: 3 },
    pids_stats: { current: 7, limit: 9 },
    blkio_stats: {
      io_service_bytes_recursive: [
        { major: 8, minor: 0, op: 'read', value: 5 },
        { major: 8, minor: 0, op: 'write', value: 6 },
      ],
    },
    preread: '0001-01-01T00:00:00Z',
  });
  const unlimited = statsDocument(record, { ...now, memoryMax: 'max\n', pidsMax: 'max\n' }, now, {
    ...host,
    controllers: [],
  });
  expect(unlimited).toMatchObject({ memory_stats: { limit: 4096 }, preread: '1970-01-01T00:00:02.000Z' });
  expect(unlimited['pids_stats']).toEqual({ current: 7 });
});
