import { BerthError } from '#shared/errors.ts';
import type { ContainerConfig } from '../../../container/config.ts';
import type { NetworkConfig } from '../../../container/network-config.ts';
import { isAddress } from '../../../network/ip-address.ts';
import type { ConfigBody, HostConfigBody } from '../create-request.ts';

/**
 * What a creation says of names: where they are looked up, and which are in the container's own files.
 *
 * @throws BerthError `docker.names-invalid` with dockerd's text
 */
export function namesOf(config: ConfigBody, host: HostConfigBody): Partial<NetworkConfig> {
  const dns = host.Dns ?? [];
  const extraHosts = host.ExtraHosts ?? [];
  checkMode(host);
  for (const address of dns) checkServer(address);
  for (const entry of extraHosts) checkExtraHost(entry);
  return {
    domainname: config.Domainname ?? '',
    dns: [...dns],
    dnsSearch: [...(host.DnsSearch ?? [])],
    dnsOptions: [...(host.DnsOptions ?? [])],
    extraHosts: [...extraHosts],
  };
}

/** Links as inspect tells them: `/db:/web/alias`. */
export function linksDocument({ name, legacyLinks }: ContainerConfig): readonly string[] | null {
  if (legacyLinks.length === 0) return null;
  return legacyLinks.map((link) => `/${link.name}:/${name}/${link.alias}`);
}

/** One of `Links`: `CONTAINER:ALIAS`, or the container alone, by whose name it is then known. */
export interface LinkText {
  readonly container: string;
  readonly alias: string;
}

/**
 * The links of a container on the default bridge. A network with names has links of its own, beside its endpoint.
 *
 * @throws BerthError `docker.names-invalid` with dockerd's text
 */
export function linkTexts(host: HostConfigBody): readonly LinkText[] {
  const mode = networkMode(host);
  if (mode !== '' && mode !== 'default' && mode !== 'bridge') return [];
  return (host.Links ?? []).map((text) => {
    const [container = '', alias, ...rest] = text.split(':');
    if (container === '' || rest.length > 0) throw invalid(`bad format for links: ${text.slice(0, 160)}`);
    // As inspect tells it, which is how clients of old make a container again: `/db:/web/alias`.
    if (alias?.startsWith('/'))
      return { container: container.replace(/^\//, ''), alias: alias.split('/').at(-1) ?? '' };
    return { container, alias: alias ?? container };
  });
}

/** A namespace of somebody else's has names of its own already. */
function checkMode(host: HostConfigBody): void {
  const mode = networkMode(host);
  const isContainer = mode.startsWith('container:');
  const linked = (host.Links ?? []).length > 0;
  if (linked && (mode === 'host' || isContainer)) {
    const kind = isContainer ? 'container' : 'host';
    throw invalid(
      `conflicting options: ${kind} type networking can't be used with links. This would result in undefined behavior`,
    );
  }
  if (isContainer && (host.Dns ?? []).length > 0) throw invalid('conflicting options: dns and the network mode');
  if (isContainer && (host.ExtraHosts ?? []).length > 0) {
    throw invalid('conflicting options: custom host-to-IP mapping and the network mode');
  }
}

function networkMode(host: HostConfigBody): string {
  const mode = host['NetworkMode'];
  return typeof mode === 'string' ? mode : '';
}

function checkServer(address: string): void {
  if (isAddress(address)) return;
  const shown = JSON.stringify(address.slice(0, 160));
  throw invalid(`bad nameserver address ${address.slice(0, 160)}: ParseAddr(${shown}): unable to parse IP`);
}

function checkExtraHost(entry: string): void {
  const at = entry.indexOf(':');
  const address = entry.slice(at + 1);
  if (at <= 0) throw invalid(`bad format for add-host: ${JSON.stringify(entry.slice(0, 160))}`);
  if (address === 'host-gateway' || isAddress(address)) return;
  throw invalid(`invalid IP address in add-host: ${JSON.stringify(address.slice(0, 160))}`);
}

function invalid(text: string): BerthError {
  return new BerthError('invalid', 'docker.names-invalid', text);
}
