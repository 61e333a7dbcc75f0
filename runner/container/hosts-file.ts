/** A line of a hosts(5) file. */
export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

/** What a container's hosts file says beside localhost. */
export interface HostsContent {
  readonly hostname: string;
  readonly domainname: string;
  /** Its own, on each of its networks. */
  readonly addresses: readonly string[];
  readonly extraHosts: readonly HostsEntry[];
  readonly links: readonly HostsEntry[];
}

const everywhere: readonly HostsEntry[] = [
  { address: '127.0.0.1', names: ['localhost'] },
  { address: '::1', names: ['localhost', 'ip6-localhost', 'ip6-loopback'] },
  { address: 'fe00::', names: ['ip6-localnet'] },
  { address: 'ff00::', names: ['ip6-mcastprefix'] },
  { address: 'ff02::1', names: ['ip6-allnodes'] },
  { address: 'ff02::2', names: ['ip6-allrouters'] },
];

/** What /etc/hosts of a container says, in dockerd's order (moby libnetwork/etchosts). */
export function hostsFile({ hostname, domainname, addresses, extraHosts, links }: HostsContent): string {
  const names = ownNames(hostname, domainname);
  const own = addresses.map((address) => ({ address, names }));
  return [...everywhere, ...extraHosts, ...links, ...own]
    .map((entry) => `${entry.address}\t${entry.names.join(' ')}\n`)
    .join('');
}

/** The whole name first, then without its domain, which may be a part of the host name or stand beside it. */
function ownNames(hostname: string, domainname: string): readonly string[] {
  const whole = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const short = whole.split('.', 1)[0] ?? '';
  return short === whole || short === '' ? [whole] : [whole, short];
}

/** An extra host, `NAME:ADDRESS`; the address may have colons, and may be `host-gateway`. */
export function extraHost(text: string, hostGateway: string): HostsEntry {
  const at = text.indexOf(':');
  const address = text.slice(at + 1);
  return { address: address === 'host-gateway' ? hostGateway : address, names: [text.slice(0, at)] };
}
