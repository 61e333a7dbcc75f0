import { closeSync, constants, fchmodSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import {
  containerResolvConf,
  isLocalResolver,
  formatResolvConf,
  readResolvConf,
  type ResolverPlace,
} from '../network/names/resolv-conf.ts';
import { extraHost, hostsFile, type HostsEntry } from './hosts-file.ts';
import type { NetworkConfig } from './network-config.ts';
import type { ContainerPaths } from './paths.ts';

/** A container's place on one network, as far as its files are concerned. */
export interface FileEndpoint {
  /** Dotted quad. */
  readonly address: string;
  readonly gateway: string;
  /** True where names are answered at the gateway. */
  readonly hasNames: boolean;
}

/** The network namespace that a container is in. */
export type NetworkPlace =
  | { readonly kind: 'host' }
  /** Its own; the endpoint that its default route is by goes first. None: without a network. */
  | { readonly kind: 'own'; readonly endpoints: readonly FileEndpoint[] };

export interface NetworkFilesContext {
  readonly place: NetworkPlace;
  /** What `host-gateway` stands for: the default bridge's address. */
  readonly hostGateway: string;
  /** What is asked on the default bridge when all of the host's resolvers are local ones. */
  readonly fallbackResolver: string | undefined;
  readonly links: readonly HostsEntry[];
}

const hostResolvConf = '/etc/resolv.conf';
/** Where systemd-resolved tells the resolvers behind its own, which only the host reaches. */
const systemdResolvConf = '/run/systemd/resolve/resolv.conf';
const hostHosts = '/etc/hosts';

type Wanted = Pick<NetworkConfig, 'hostname' | 'domainname' | 'dns' | 'dnsSearch' | 'dnsOptions' | 'extraHosts'>;

/**
 * Writes /etc/hostname, /etc/hosts and /etc/resolv.conf of a container. At each start, and when its networks change while
 * it runs: the files are bound into it, so that they are written in place.
 */
export function writeNetworkFiles(
  paths: Pick<ContainerPaths, 'hostname' | 'hosts' | 'resolvConf'>,
  wanted: Wanted,
  context: NetworkFilesContext,
): void {
  rewrite(paths.hostname, `${wanted.hostname}\n`);
  rewrite(paths.hosts, hostsText(wanted, context));
  rewrite(paths.resolvConf, resolvConfText(wanted, context));
}

function hostsText(wanted: Wanted, { place, hostGateway, links }: NetworkFilesContext): string {
  const extraHosts = wanted.extraHosts.map((text) => extraHost(text, hostGateway));
  if (place.kind === 'host' && extraHosts.length === 0) return readText(hostHosts);
  const addresses = place.kind === 'host' ? [] : place.endpoints.map((endpoint) => endpoint.address);
  return hostsFile({ ...wanted, addresses, extraHosts, links });
}

function resolvConfText(wanted: Wanted, { place, fallbackResolver }: NetworkFilesContext): string {
  const host = readResolvConf(readText(place.kind === 'own' ? outerResolvConf() : hostResolvConf));
  return formatResolvConf(containerResolvConf(host, wanted, resolverPlace(place, fallbackResolver)));
}

function resolverPlace(place: NetworkPlace, fallback: string | undefined): ResolverPlace {
  if (place.kind === 'host') return { kind: 'host' };
  const named = place.endpoints.find((endpoint) => endpoint.hasNames);
  return named === undefined ? { kind: 'bridge', fallback } : { kind: 'names', gateway: named.gateway };
}

/** True when all of the host's resolvers are such that containers do not reach: then somebody must ask them for these. */
export function hasOnlyLocalResolvers(): boolean {
  const { nameservers } = readResolvConf(readText(outerResolvConf()));
  return nameservers.every(isLocalResolver);
}

/** The file whose resolvers are meant for others than the host, too (moby libnetwork, `resolvconf.Path`). */
function outerResolvConf(): string {
  const { nameservers } = readResolvConf(readText(hostResolvConf));
  const isStub = nameservers.length === 1 && nameservers[0] === '127.0.0.53';
  return isStub && readText(systemdResolvConf) !== '' ? systemdResolvConf : hostResolvConf;
}

/** Empty when it is not there. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * In place, and cut only after it was written: who reads meanwhile finds no empty file. Not synced: each start writes
 * these files anew, and nothing reads them before it has.
 */
function rewrite(path: string, text: string): void {
  const bytes = Buffer.from(text);
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  try {
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written, bytes.length - written, written);
    ftruncateSync(fd, bytes.length);
    fchmodSync(fd, 0o644); // whatever the umask
  } finally {
    closeSync(fd);
  }
}
