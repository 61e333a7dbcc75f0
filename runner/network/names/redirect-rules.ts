import { BerthError } from '#shared/errors.ts';
import { formatIpv4, parseIpv4 } from '../ipv4.ts';

/** A gateway, and the ports at which its questions are taken. */
export interface Redirect {
  readonly gateway: string;
  readonly ports: { readonly udp: number; readonly tcp: number };
}

/** The nftables table of a data root's resolver, family `ip`. */
function namesTable(instance: string): string {
  if (!/^[0-9a-z]{1,12}$/.test(instance)) {
    throw new BerthError('internal', 'network.instance-invalid', `names: "${instance}" is not an instance id`);
  }
  return `berth-names-${instance}`;
}

/**
 * The complete table as one transaction; without redirects, no table. Its chain stands just before those of published
 * ports (-100): a container that publishes port 53 must not take the questions of all others.
 */
export function redirectScript(instance: string, redirects: readonly Redirect[]): string {
  const table = namesTable(instance);
  const removed = `add table ip ${table}; delete table ip ${table}`;
  if (redirects.length === 0) return removed;
  const elements = redirects.flatMap(({ gateway, ports }) => {
    const address = addressText(gateway);
    return [
      `${address} . udp : ${address} . ${portNumber(ports.udp)}`,
      `${address} . tcp : ${address} . ${portNumber(ports.tcp)}`,
    ];
  });
  const statements = [
    'map resolvers { type ipv4_addr . inet_proto : ipv4_addr . inet_service;',
    `elements = { ${elements.toSorted().join(', ')} }; };`,
    'chain questions { type nat hook prerouting priority -101; policy accept;',
    'meta l4proto { udp, tcp } th dport 53 dnat ip addr . port to ip daddr . meta l4proto map @resolvers; };',
  ];
  return `${removed}; table ip ${table} { ${statements.join(' ')} }`;
}

/** Changes nothing, and fails when the table is not there. */
export function probeRedirectScript(instance: string): string {
  return `add chain ip ${namesTable(instance)} questions`;
}

function addressText(text: string): string {
  const address = parseIpv4(text);
  if (address !== undefined) return formatIpv4(address);
  throw new BerthError('internal', 'network.address-invalid', `names: "${text}" is not an address`);
}

function portNumber(port: number): number {
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new BerthError('internal', 'network.port-invalid', `names: ${port} is not a port`);
}
