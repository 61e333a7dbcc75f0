import { BerthError } from '#shared/errors.ts';
import { formatIpv4, gatewayOf, overlaps, parseIpv4, subnetSize, type Subnet } from './ipv4.ts';
import type { BridgeNetworkRecord, IpamConfig } from './network-record.ts';
import { chooseSubnet, formatSubnet } from './subnet.ts';

/** What a network is given: its subnet, the bridge's own address, and what is not leased. */
export type AddressPlan = Pick<BridgeNetworkRecord, 'subnet' | 'gateway' | 'ipRange' | 'reserved'>;

/**
 * Finds a network its addresses: those that were asked for, else a free subnet.
 *
 * @param networks subnets of the networks that there are
 * @param routes destinations of the host's routes: a subnet of our choice overlaps none
 * @throws BerthError `network.ipam-invalid`, `network.pool-overlaps` with dockerd's texts, `network.no-subnet`
 */
export function planAddresses(
  config: readonly IpamConfig[],
  networks: readonly Subnet[],
  routes: readonly Subnet[],
): AddressPlan {
  const problems = config.flatMap(problemsOf);
  if (problems.length > 0) throw invalidIpam(`invalid network config:\n${problems.join('\n')}`);
  const [asked, ...others] = config;
  if (others.length > 0) {
    throw new BerthError('forbidden', 'network.ipam-invalid', "bridge driver doesn't support multiple subnets");
  }
  if (asked === undefined) {
    const subnet = chooseSubnet([...networks, ...routes]);
    return { subnet: formatSubnet(subnet), gateway: formatIpv4(gatewayOf(subnet)), reserved: [] };
  }
  const subnet = parsePrefix(asked.subnet);
  if (subnet === undefined) throw invalidIpam(`invalid subnet ${asked.subnet}: invalid CIDR block notation`);
  if (networks.some((other) => overlaps(other, subnet))) {
    throw new BerthError(
      'forbidden',
      'network.pool-overlaps',
      'invalid pool request: Pool overlaps with other one on this address space',
    );
  }
  return {
    subnet: asked.subnet,
    gateway: asked.gateway ?? formatIpv4(firstFree(subnet, asked)),
    ...(asked.ipRange === undefined ? {} : { ipRange: asked.ipRange }),
    reserved: Object.values(asked.auxiliaryAddresses ?? {}),
  };
}

/** A prefix of any length, its host bits zero or not. */
export function parsePrefix(text: string): Subnet | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const base = parseIpv4(match?.[1] ?? '');
  const prefixLength = Number(match?.[2] ?? 33);
  return base === undefined || prefixLength > 32 ? undefined : { base, prefixLength };
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address < subnet.base + subnetSize(subnet);
}

/** What is wrong with one subnet, in dockerd's words. */
function problemsOf(config: IpamConfig): readonly string[] {
  const subnet = parsePrefix(config.subnet);
  if (subnet === undefined) {
    // An IPv6 subnet of a network that does not have IPv6 is refused by the caller, who knows what was asked for.
    return [`invalid subnet ${config.subnet}: invalid CIDR block notation`];
  }
  const problems: string[] = [];
  const masked = maskedPrefix(subnet);
  if (masked.base !== subnet.base) {
    problems.push(`invalid subnet ${config.subnet}: it should be ${formatSubnet(masked)}`);
  }
  if (subnet.prefixLength > 30 || subnet.prefixLength < 8) {
    problems.push(`invalid subnet ${config.subnet}: a bridge has prefixes of 8 to 30 bits`);
  }
  if (config.ipRange !== undefined) problems.push(...rangeProblems(config.ipRange, config.subnet, masked));
  const addresses = [
    ['gateway', config.gateway, config.gateway] as const,
    ...Object.entries(config.auxiliaryAddresses ?? {}).map(
      ([name, address]) => ['auxiliary address', name, address] as const,
    ),
  ];
  for (const [what, shown, text] of addresses) {
    if (text === undefined) continue;
    const address = parseIpv4(text);
    if (address === undefined) problems.push(`invalid ${what} ${shown ?? ''}: invalid address`);
    else if (!contains(masked, address)) {
      problems.push(`invalid ${what} ${shown ?? ''}: parent subnet ${config.subnet} doesn't contain this address`);
    }
  }
  return problems;
}

function rangeProblems(text: string, parentText: string, parent: Subnet): readonly string[] {
  const range = parsePrefix(text);
  if (range === undefined) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  const problems: string[] = [];
  const masked = maskedPrefix(range);
  if (range.prefixLength < parent.prefixLength) {
    problems.push(`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${parentText}`);
  }
  if (masked.base !== range.base) problems.push(`invalid ip-range ${text}: it should be ${formatSubnet(masked)}`);
  if (!overlaps(parent, masked)) {
    problems.push(`invalid ip-range ${text}: parent subnet ${parentText} doesn't contain ip-range`);
  }
  return problems;
}

function maskedPrefix({ base, prefixLength }: Subnet): Subnet {
  return { base: base - (base % 2 ** (32 - prefixLength)), prefixLength };
}

/** The gateway of a network that names none: the first address of the range, or of the subnet, that is not reserved. */
function firstFree(subnet: Subnet, { ipRange, auxiliaryAddresses }: IpamConfig): number {
  const reserved = new Set(Object.values(auxiliaryAddresses ?? {}).map(parseIpv4));
  const range = (ipRange === undefined ? undefined : parsePrefix(ipRange)) ?? subnet;
  const last = subnet.base + subnetSize(subnet) - 2;
  for (let address = Math.max(range.base, subnet.base + 1); address <= last; address += 1) {
    if (!reserved.has(address)) return address;
  }
  throw new BerthError('forbidden', 'network.ipam-invalid', 'no available IPv4 addresses on this network');
}

function invalidIpam(text: string): BerthError {
  return new BerthError('invalid', 'network.ipam-invalid', text);
}
