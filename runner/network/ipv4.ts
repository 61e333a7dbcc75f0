/** An IPv4 subnet. `base` is the network address as an unsigned 32-bit number, its host bits zero. */
export interface Subnet {
  readonly base: number;
  readonly prefixLength: number;
}

/** The number of a dotted quad without leading zeros (RFC 6943 section 3.1.1, strict form), or undefined. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/** The dotted quad of an unsigned 32-bit number. */
export function formatIpv4(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** How many addresses a subnet spans, its network and broadcast address included. */
export function subnetSize(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefixLength);
}

/** The bridge's own address: the subnet's first. */
export function gatewayOf(subnet: Subnet): number {
  return subnet.base + 1;
}

/** First and last address that a container may have: neither the network, nor the gateway, nor the broadcast address. */
export function hostRange(subnet: Subnet): { readonly first: number; readonly last: number } {
  return { first: subnet.base + 2, last: subnet.base + subnetSize(subnet) - 2 };
}

/** True when some address is in both. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + subnetSize(b) && b.base < a.base + subnetSize(a);
}

/**
 * The hardware address of a container: locally administered (02), then 42 as Docker has it, then its IPv4 address, so
 * that an address keeps its hardware address and no neighbour's cache is ever stale.
 */
export function macAddressOf(address: number): string {
  const bytes = [0x02, 0x42, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
