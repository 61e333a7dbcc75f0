import { createHash } from 'node:crypto';
import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import {
  containerResolvConf,
  isLocalResolver,
  formatResolvConf,
  readResolvConf,
  type ResolverPlace,
} from '../network/names/resolv-conf.ts';
import { editedHosts, extraHost, hostsFile, type HostsContent, type HostsEntry } from './hosts-file.ts';
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

type FilePaths = Pick<ContainerPaths, 'hostname' | 'hosts' | 'resolvConf' | 'resolvConfDigests'>;

/** Of a file that the container may have written, more is not read. */
const MAX_FILE_BYTES = 1024 * 1024;

/** Writes /etc/hostname, /etc/hosts and /etc/resolv.conf of a container anew, for a start. */
export function writeNetworkFiles(paths: FilePaths, wanted: Wanted, context: NetworkFilesContext): void {
  const resolvConf = resolvConfText(wanted, context);
  rewrite(paths.hostname, `${wanted.hostname}\n`);
  rewrite(paths.hosts, hostsText(wanted, context));
  rewrite(paths.resolvConfDigests, `${digest(resolvConf)}\n`);
  rewrite(paths.resolvConf, resolvConf);
}

/**
 * Brings the files of a running container up to date with its networks. They are bound into it, so that they are written
 * in place; what it has written there itself is kept: lines of /etc/hosts, and a changed /etc/resolv.conf as a whole.
 */
export function updateNetworkFiles(paths: FilePaths, wanted: Wanted, context: NetworkFilesContext): void {
  const content = hostsContent(wanted, context);
  const hosts = readBounded(paths.hosts);
  const edited = hosts === undefined ? hostsFile(content) : editedHosts(hosts, content);
  if (edited !== hosts) rewrite(paths.hosts, edited);
  const before = readBounded(paths.resolvConf);
  const after = resolvConfText(wanted, context);
  if (before === undefined || before === after) return;
  if (!readText(paths.resolvConfDigests).includes(digest(before))) return; // the container's own
  // Both, for a runner that is killed between the two.
  rewrite(paths.resolvConfDigests, `${digest(before)}\n${digest(after)}\n`);
  rewrite(paths.resolvConf, after);
}

function hostsText(wanted: Wanted, context: NetworkFilesContext): string {
  if (context.place.kind === 'host' && wanted.extraHosts.length === 0) return readText(hostHosts);
  return hostsFile(hostsContent(wanted, context));
}

function hostsContent(wanted: Wanted, { place, hostGateway, links }: NetworkFilesContext): HostsContent {
  const extraHosts = wanted.extraHosts.map((text) => extraHost(text, hostGateway));
  const addresses = place.kind === 'host' ? [] : place.endpoints.map((endpoint) => endpoint.address);
  return { ...wanted, addresses, extraHosts, links };
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

/** Undefined when it is not there or longer than anybody reads. */
function readBounded(path: string): string | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return fstatSync(fd).size > MAX_FILE_BYTES ? undefined : readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
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
