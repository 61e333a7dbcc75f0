/** What a resolv.conf(5) says, in its order. */
export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** Reads a resolv.conf; the last `search` or `domain` counts. Keywords that containers have no use for are left out. */
export function readResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: readonly string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    const [first] = values;
    if (first === undefined) continue;
    if (keyword === 'nameserver') nameservers.push(first);
    else if (keyword === 'search' || keyword === 'domain') search = values;
    else if (keyword === 'options') options.push(...values);
  }
  return { nameservers, search, options };
}

/** The file's text, as dockerd writes it. */
export function formatResolvConf({ nameservers, search, options }: ResolvConf): string {
  const lines = [
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Where a container asks for names; it decides what its resolv.conf says. */
export type ResolverPlace =
  /** In the host's network namespace: whatever the host can ask. */
  | { readonly kind: 'host' }
  /** On the default bridge: the host's resolvers; when only the host itself reaches these, `fallback`, if there is one. */
  | { readonly kind: 'bridge'; readonly fallback: string | undefined }
  /** On a network with names: its resolver, which asks the others. */
  | { readonly kind: 'names'; readonly gateway: string };

/** What was asked for a container: each list replaces the host's when it is not empty. */
export interface WantedResolvers {
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
}

/** The container's resolv.conf, from the host's (moby libnetwork, `setupDNS` and `rebuildDNS`). */
export function containerResolvConf(host: ResolvConf, wanted: WantedResolvers, place: ResolverPlace): ResolvConf {
  const asked = wanted.dnsSearch.length > 0 ? wanted.dnsSearch : host.search;
  const options = wanted.dnsOptions.length > 0 ? wanted.dnsOptions : host.options;
  return {
    nameservers: nameservers(host, wanted, place),
    // A dot alone: search nothing.
    search: asked.length === 1 && asked[0] === '.' ? [] : asked,
    // A name without dots is first a container's; whoever sets it otherwise means it.
    options: place.kind === 'names' && !options.some(isNdots) ? [...options, 'ndots:0'] : options,
  };
}

export function isNdots(option: string): boolean {
  return /^ndots:\d+$/.test(option);
}

function nameservers(host: ResolvConf, { dns }: WantedResolvers, place: ResolverPlace): readonly string[] {
  switch (place.kind) {
    case 'names':
      return [place.gateway];
    case 'host':
      return dns.length > 0 ? dns : host.nameservers;
    case 'bridge': {
      if (dns.length > 0) return dns;
      const reached = host.nameservers.filter((address) => !/^(127\.|::1(%|$))/.test(address));
      return reached.length > 0 || place.fallback === undefined ? reached : [place.fallback];
    }
    default:
      throw new TypeError(`no such place: ${JSON.stringify(place satisfies never)}`);
  }
}
