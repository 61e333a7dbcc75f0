import { BerthError } from '#shared/errors.ts';
import { formatIpv4, overlaps, parseIpv4, type Subnet } from './ipv4.ts';

/**
 * Prefix length of a host's subnet: 1,021 containers, which is about what one bridge takes (the kernel's BR_MAX_PORTS is
 * 1,024).
 */
const SUBNET_PREFIX_LENGTH = 22;

/** Where subnets are taken from, in this order. The first is used by none of the usual container engines. */
const POOLS: readonly Subnet[] = [
  { base: (10 << 24) | (83 << 16), prefixLength: 16 },
  { base: (10 << 24) | (183 << 16), prefixLength: 16 },
  { base: ((172 << 24) | (31 << 16)) >>> 0, prefixLength: 16 },
];

/** The destinations of /proc/net/route (proc_pid_net(5)), without the default route: little-endian hexadecimal. */
export function parseRoutes(text: string): readonly Subnet[] {
  const routes: Subnet[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [, destination, , , , , , mask] = line.trim().split(/\s+/);
    if (destination === undefined || mask === undefined) continue;
    const prefixLength = bitCount(swapBytes(Number.parseInt(mask, 16)));
    if (prefixLength > 0) routes.push({ base: swapBytes(Number.parseInt(destination, 16)), prefixLength });
  }
  return routes;
}

/** A subnet written as `10.83.0.0/22`, or undefined. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address, length, ...rest] = text.split('/');
  const base = parseIpv4(address ?? '');
  const prefixLength = Number(length);
  const valid = rest.length === 0 && Number.isInteger(prefixLength) && prefixLength >= 8 && prefixLength <= 30;
  if (base === undefined || !valid || base % 2 ** (32 - prefixLength) !== 0) return undefined;
  return { base, prefixLength };
}

/** The text that `parseSubnet` reads. */
export function formatSubnet(subnet: Subnet): string {
  return `${formatIpv4(subnet.base)}/${subnet.prefixLength}`;
}

/**
 * A subnet for the bridge that overlaps none of the host's routes.
 *
 * @throws BerthError `network.no-subnet` when all of the pools are taken
 */
export function chooseSubnet(routes: readonly Subnet[]): Subnet {
  for (const pool of POOLS) {
    const step = 2 ** (32 - SUBNET_PREFIX_LENGTH);
    const end = pool.base + 2 ** (32 - pool.prefixLength);
    for (let base = pool.base; base < end; base += step) {
      const candidate = { base, prefixLength: SUBNET_PREFIX_LENGTH };
      if (!routes.some((route) => overlaps(route, candidate))) return candidate;
    }
  }
  throw new BerthError(
    'conflict',
    'network.no-subnet',
    `network: every subnet of ${POOLS.map(formatSubnet).join(', ')} overlaps a route of this host`,
    { remedy: 'Remove a route (see: ip route), then start the runner again.' },
  );
}

function swapBytes(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)) >>> 0;
}

function bitCount(value: number): number {
  let count = 0;
  for (let rest = value >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count += 1;
  return count;
}
