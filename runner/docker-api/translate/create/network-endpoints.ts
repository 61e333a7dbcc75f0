import { BerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../../../container/engine.ts';
import type { EndpointConfig, NetworkConfig } from '../../../container/network-config.ts';
import { DEFAULT_NETWORK } from '../../../network/network-record.ts';
import type { NetworkView } from '../container-network.ts';
import type { CreateBody } from '../create-request.ts';
import { endpointConfigOf, macAddress, type EndpointSettingsBody } from './endpoint-settings.ts';
import { networkConflict } from './network-conflicts.ts';

/** What networks and containers a creation can name. */
export interface NetworkContext {
  readonly networks: NetworkView;
  readonly findContainer: (reference: string) => ContainerRecord | undefined;
  /** The host's own name, which a container in the host's network has. */
  readonly hostName: string;
  /** The client's version knows several networks (1.44). */
  readonly allowsSeveral: boolean;
}

type Placement = Pick<NetworkConfig, 'networkNamespace' | 'endpoints'> & Partial<Pick<NetworkConfig, 'hostname'>>;

/**
 * Where a new container is: NetworkMode, and the endpoints of NetworkingConfig.
 *
 * @throws BerthError `docker.network-conflict`, `docker.endpoint-invalid`
 */
export function placementOf(body: CreateBody, context: NetworkContext): Placement {
  const mode = modeOf(body);
  if (body.NetworkDisabled === true) return { networkNamespace: { kind: 'own' }, endpoints: [] };
  if (mode.startsWith('container:')) {
    const reference = mode.slice('container:'.length);
    const other = context.findContainer(reference) ?? context.findContainer(reference.replace(/^\//, ''));
    return {
      networkNamespace: { kind: 'container', id: other?.id ?? reference },
      endpoints: [],
      ...(other === undefined ? {} : { hostname: other.config.hostname }),
    };
  }
  const endpoints = endpointsOf(body, mode, context);
  const kinds = endpoints.map(({ network }) => context.networks.find(network)?.kind);
  if (endpoints.length > 1) {
    if (kinds.includes('host')) throw networkConflict('shared-network');
    if (kinds.includes('none')) throw networkConflict('none-network');
  }
  if (mode === 'host') {
    const hostname = body.Hostname ? {} : { hostname: context.hostName };
    return { networkNamespace: { kind: 'host' }, endpoints, ...hostname };
  }
  if (kinds.includes('host')) throw networkConflict('not-host-mode');
  return { networkNamespace: { kind: 'own' }, endpoints };
}

/** `default` is the default network's other name. */
function modeOf({ HostConfig: host }: CreateBody): string {
  const mode = host?.NetworkMode ?? '';
  return mode === '' || mode === 'default' ? DEFAULT_NETWORK : mode;
}

/** The network of the mode first; where endpoints are given, those alone, as with Docker. */
function endpointsOf(body: CreateBody, mode: string, context: NetworkContext): EndpointConfig[] {
  const given = new Map<string, EndpointSettingsBody>();
  for (const [key, settings] of Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {})) {
    given.set(key === 'default' ? DEFAULT_NETWORK : key, settings ?? {});
  }
  if (given.size > 1 && !context.allowsSeveral) {
    const names = [...given.keys()].join(', ');
    const text = `Container cannot be created with multiple network endpoints: ${names}`;
    throw new BerthError('invalid', 'docker.network-conflict', text);
  }
  if (given.size === 0) given.set(mode, {});
  const first = context.networks.find(mode);
  const isFirst = (name: string): boolean =>
    name === mode || (first !== undefined && context.networks.find(name) === first);
  const names = [...given.keys()].toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
  return names.map((name) => {
    const endpoint = endpointConfigOf(name, context.networks.find(name), given.get(name) ?? {});
    return isFirst(name) ? withWideOptions(endpoint, body) : endpoint;
  });
}

/** What old clients say of the container, and mean of its first network. */
function withWideOptions(endpoint: EndpointConfig, { MacAddress: mac, HostConfig: host }: CreateBody): EndpointConfig {
  // On the default network links are files and variables, not names that a resolver answers.
  const links = endpoint.network === DEFAULT_NETWORK ? [] : (host?.Links ?? []);
  return {
    ...endpoint,
    ...(mac && endpoint.macAddress === undefined ? { macAddress: macAddress(mac) } : {}),
    links: [...new Set([...endpoint.links, ...links])],
  };
}
