import { readFile } from 'node:fs/promises';
import { altogether, growth, type GuestContainer } from './guest-containers.ts';
import { MEBIBYTE, probe, withProbe, type GuestHost } from './guest-host.ts';

export interface DiskReport {
  /** How much more the first of two read from a disk: with ten times the weight, and when the weights were exchanged. */
  readonly weight: { readonly before: number; readonly after: number };
  /** The same with weights for this disk alone. */
  readonly deviceWeight: { readonly before: number; readonly after: number };
  /** A container with each of the rates: how much it moved, and one without a limit beside it. */
  readonly rates: Readonly<Record<RateName, Rate>>;
  /** What the statistics of a reader say. */
  readonly statistics: { readonly blkio_stats?: unknown; readonly pressure_stats?: unknown };
}

const rateNames = {
  blockReadBytesPerSecond: ['read', 'rbytes'],
  blockWriteBytesPerSecond: ['write', 'wbytes'],
  blockReadsPerSecond: ['read', 'rios'],
  blockWritesPerSecond: ['write', 'wios'],
} as const;
type RateName = keyof typeof rateNames;

interface Rate {
  /** How far it was beyond what it may, in a time that was measured: above 1 is too fast. */
  readonly excess: number;
  /** How much the one without a limit moved in that time, for each unit of it. */
  readonly freeRatio: number;
  /** The same after an update without the limit. */
  readonly liftedRatio: number;
}

/** So slow that who reads or writes waits for it, and not for the emulated processors. */
const disk = '/dev/vdc';

/** Four processes, so that the disk always has a request of each container. */
const move = (way: string): string => `for i in 1 2 3 4; do ${probe} move ${disk} ${way} & done; wait`;

const withDisk = { ...withProbe, devices: [{ pathOnHost: disk, pathInContainer: disk, permissions: 'rwm' }] };

/** `254:0`, as the files of cgroups name a disk. */
async function numberOfDisk(): Promise<string> {
  return (await readFile(`/sys/class/block/${disk.slice('/dev/'.length)}/dev`, 'utf8')).trim();
}

export async function observeDisk(host: GuestHost): Promise<DiskReport> {
  const all = (weight: number) => ({ blockWeight: weight });
  const one = (weight: number) => ({ blockWeightDevices: [{ path: disk, weight }] });
  const { statistics, ...weight } = await weights(host, all);
  const { before, after } = await weights(host, one);
  return { weight, deviceWeight: { before, after }, statistics, rates: await rates(host) };
}

async function weights(host: GuestHost, weigh: (weight: number) => Record<string, unknown>) {
  const [heavy, light] = [weigh(1000), weigh(100)];
  const first = await host.start(move('read'), { ...withDisk, ...heavy });
  const second = await host.start(move('read'), { ...withDisk, ...light });
  const number = await numberOfDisk();
  const ratio = async (): Promise<number> => {
    const read = [first, second].map((each) => () => each.count('io.stat', 'rbytes', `${number} `));
    // Each has had turns with the weights of now.
    await growth(read, (grown) => grown.every((bytes) => bytes > MEBIBYTE / 4));
    const [one = NaN, two = NaN] = await growth(read, altogether(24 * MEBIBYTE));
    return one / two;
  };
  const before = await ratio();
  await host.update(first, light);
  await host.update(second, heavy);
  const after = await ratio();
  const statistics = await host.engine.call('statistics', first.id);
  for (const container of [first, second]) await container.end('SIGKILL');
  return { before, after, statistics };
}

/** 256 KiB, or four blocks of 64 KiB, a second; each of them together with one without a limit, which reads and writes. */
async function rates(host: GuestHost): Promise<DiskReport['rates']> {
  const number = await numberOfDisk();
  const free = await host.start(`${move('read')} & ${move('write')}; wait`, withDisk);
  const found: Record<string, Rate> = {};
  for (const [name, [way, counter]] of Object.entries(rateNames)) {
    const limit = counter.endsWith('bytes') ? 256 * 1024 : 4;
    const container = await host.start(move(way), { ...withDisk, [name]: [{ path: disk, rate: limit }] });
    found[name] = await rate(host, {
      container,
      free,
      limit,
      name,
      read: (one) => one.count('io.stat', counter, `${number} `),
    });
    await container.end('SIGKILL');
  }
  await free.end('SIGKILL');
  return found as Record<RateName, Rate>;
}

interface Limited {
  readonly container: GuestContainer;
  readonly free: GuestContainer;
  readonly limit: number;
  readonly name: string;
  readonly read: (container: GuestContainer) => Promise<number>;
}

async function rate(host: GuestHost, { container, free, limit, name, read }: Limited): Promise<Rate> {
  const counters = [container, free].map((one) => () => read(one));
  const from = performance.now();
  const [moved = NaN, beside = NaN] = await growth(counters, ([own = 0]) => own >= 2 * limit);
  const seconds = (performance.now() - from) / 1000;
  await host.update(container, { [name]: [] });
  const [lifted = NaN, besides = NaN] = await growth(counters, altogether(50 * limit));
  return { excess: moved / limit / (seconds + 1), freeRatio: beside / moved, liftedRatio: besides / lifted };
}
