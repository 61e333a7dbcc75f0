import { MEBIBYTE, probe, withProbe, type GuestHost } from './guest-host.ts';

/** Exit codes of processes that take huge pages of 2 MiB, under a limit of two. */
export interface PagesReport {
  readonly two: number;
  /** Three with a reservation, which is refused, and without, which is a SIGBUS. */
  readonly three: number;
  readonly threeUnreserved: number;
  /** How often the kernel says that it refused. */
  readonly refusals: number;
  /** Three after an update to four. */
  readonly updated: number;
  /** How many pages the host has: without a limit there would be enough. */
  readonly there: number;
}

export async function observePages(host: GuestHost): Promise<PagesReport> {
  const limit = (pages: number) => ({ hugepageLimits: [{ pageSize: '2MB', limit: 2 * pages * MEBIBYTE }] });
  const container = await host.start('sleep 600', { ...withProbe, ...limit(2) });
  const take = async (words: string): Promise<number> => (await container.exec(`${probe} huge ${words}`)).exitCode;
  const [two, three, threeUnreserved] = [await take('2'), await take('3'), await take('3 unreserved')];
  const refusals = await container.count('hugetlb.2MB.events', 'max');
  const there = Number((await container.exec('cat /proc/sys/vm/nr_hugepages')).stdout);
  await host.update(container, limit(4));
  const updated = await take('3');
  await container.end('SIGKILL');
  return { two, three, threeUnreserved, refusals, updated, there };
}
