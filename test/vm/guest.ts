/**
 * What runs inside the virtual machine, once for all tests of its lane: a real engine with real limits. It observes and
 * writes what it saw to the exchange directory; the tests outside judge.
 */
import { writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { GuestHost } from './guest-host.ts';
import { observeDisk } from './observe-disk.ts';
import { observeLimits } from './observe-limits.ts';
import { observeMemory } from './observe-memory.ts';
import { observePages } from './observe-pages.ts';
import { observePause } from './observe-pause.ts';
import { observeProcessor } from './observe-processor.ts';
import { observeRuntimes } from './observe-runtimes.ts';

await using host = await GuestHost.open();
const elapsedMs: Record<string, number> = { boot: Math.round(uptime() * 1000) };

async function observe<Result>(name: string, work: (host: GuestHost) => Promise<Result>): Promise<Result> {
  const from = performance.now();
  const result = await work(host);
  elapsedMs[name] = Math.round(performance.now() - from);
  return result;
}

const report = {
  controllers: (await host.file('cgroup.controllers')).split(' '),
  limits: await observe('limits', observeLimits),
  memory: await observe('memory', observeMemory),
  processor: await observe('processor', observeProcessor),
  disk: await observe('disk', observeDisk),
  pages: await observe('pages', observePages),
  pause: await observe('pause', observePause),
  runtimes: await observe('runtimes', observeRuntimes),
  elapsedMs,
} as const;
export type GuestReport = typeof report;

await writeFile('/exchange/report.json', JSON.stringify(report));
