import { expect, test, vi } from 'vitest';
import { Heartbeat } from './heartbeat.ts';

test('the lease counts from when the answered ping was sent; silence is noticed', () => {
  vi.useFakeTimers({ now: 10_000 });
  try {
    const leases: number[] = [];
    let pings = 0;
    let silent = false;
    using heartbeat = new Heartbeat(
      {
        intervalMs: 100,
        leaseMs: 1000,
        clock: Date.now,
        sendPing: () => (pings += 1),
        onLease: (expiresAtMs) => leases.push(expiresAtMs),
        onSilence: () => (silent = true),
      },
      9990,
    );
    vi.advanceTimersByTime(150);
    heartbeat.pong();
    heartbeat.pong(); // one that nobody asked for gives nothing
    expect(leases).toEqual([10_990, 11_100]);
    vi.advanceTimersByTime(150);
    expect([pings, silent]).toEqual([3, false]);
    vi.advanceTimersByTime(100);
    expect(silent).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});
