import { readFile } from 'node:fs/promises';
import type { Subnet } from './ipv4.ts';
import { parseRoutes } from './subnet.ts';

/** The subnets that this network namespace has routes to. */
export async function hostRoutes(): Promise<readonly Subnet[]> {
  return parseRoutes(await readFile('/proc/net/route', 'utf8'));
}

/** The names of the links in this network namespace (proc_net_dev(5)). */
export async function linkNames(): Promise<ReadonlySet<string>> {
  const lines = (await readFile('/proc/net/dev', 'utf8')).split('\n').slice(2);
  return new Set(lines.map((line) => line.slice(0, line.lastIndexOf(':')).trim()));
}

/**
 * True where the kernel shows bridged frames to netfilter: our rules keep containers apart then, and an isolated port
 * would lose what comes back to another one by a published port, which such a kernel bridges.
 */
export async function framesAreFiltered(): Promise<boolean> {
  const text = await readFile('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').catch(() => '0');
  return text.trim() === '1';
}
