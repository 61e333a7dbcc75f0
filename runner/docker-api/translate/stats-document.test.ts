import { expect, test } from 'vitest';
import { networkCounters } from './network-counters.ts';
import { pressureOf } from './pressure.ts';

test('every interface but the loopback is counted', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0:     700       9    1    2    0     0          0         0      800       10    3    4    0     0       0          0
  eth1:5 1 0 0 0 0 0 0 6 2 0 0 0 0 0 0
`;
  expect(networkCounters(text)).toEqual({
    eth0: {
      ...{ rx_bytes: 700, rx_packets: 9, rx_errors: 1, rx_dropped: 2 },
      ...{ tx_bytes: 800, tx_packets: 10, tx_errors: 3, tx_dropped: 4 },
    },
    eth1: {
      ...{ rx_bytes: 5, rx_packets: 1, rx_errors: 0, rx_dropped: 0 },
      ...{ tx_bytes: 6, tx_packets: 2, tx_errors: 0, tx_dropped: 0 },
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
