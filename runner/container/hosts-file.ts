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
export function hostsFile(content: HostsContent): string {
  return [...everywhere, ...content.extraHosts, ...content.links, ...ownEntries(content)]
    .map((entry) => `${lineOf(entry)}\n`)
    .join('');
}

/**
 * The file brought up to date after its container's networks have changed. All other lines stay, as they may be the
 * container's own; lines that call another address by its names or a link's go, and new ones come last.
 */
export function editedHosts(text: string, content: HostsContent): string {
  const wanted = [...content.links, ...ownEntries(content)].map(lineOf);
  const fixed = content.extraHosts.map(lineOf);
  const names = new Set([ownNames(content), ...content.links.map((link) => link.names)].map((some) => some.join(' ')));
  const isOutdated = (line: string): boolean => {
    const [, called = ''] = /^\S+\t(.*)$/.exec(line) ?? [];
    return names.has(called) && !wanted.includes(line) && !fixed.includes(line);
  };
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const kept = lines.filter((line) => !isOutdated(line));
  const added = wanted.filter((line) => !kept.includes(line));
  return [...kept, ...added].map((line) => `${line}\n`).join('');
}

function lineOf({ address, names }: HostsEntry): string {
  return `${address}\t${names.join(' ')}`;
}

function ownEntries(content: HostsContent): readonly HostsEntry[] {
  const names = ownNames(content);
  return content.addresses.map((address) => ({ address, names }));
}

/** The whole name first, then without its domain, which may be a part of the host name or stand beside it. */
function ownNames({ hostname, domainname }: HostsContent): readonly string[] {
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
