import { BerthError, isBerthError } from '#shared/errors.ts';
import type { RuntimeNamespace } from '#shared/oci/runtime-spec.ts';
import type { LinkSpec } from '../launcher/launcher.ts';
import { isPredefined } from '../network/network-record.ts';
import { combinedId } from '../network/combined-id.ts';
import type { NetworkNames } from '../network/name-table.ts';
import type { BoundPort, NetworkLink } from '../network/network.ts';
import { pathsOf, type EngineContext } from './engine-context.ts';
import { gatewayLink, isEndpointOf, launchLink, launchLinks } from './links.ts';
import { legacyLinks, requireLegacyLinks, type LegacyLink } from './legacy-links.ts';
import type { EndpointConfig } from './network-config.ts';
import {
  hasOnlyLocalResolvers,
  updateNetworkFiles,
  writeNetworkFiles,
  type FileEndpoint,
  type NetworkFilesContext,
  type NetworkPlace,
} from './network-files.ts';
import { networkNames } from './network-names.ts';
import type { ContainerPaths } from './paths.ts';
import type { StoredContainer } from './state.ts';

/** What a launch needs to put a container where its config says. */
export interface JoinedNetworks {
  readonly links: readonly LinkSpec[];
  /** Empty: the host's. */
  readonly namespaces: readonly RuntimeNamespace[];
  readonly files: Pick<ContainerPaths, 'hostname' | 'hosts' | 'resolvConf'>;
  /** What linked containers of the default network are known by. */
  readonly environment: readonly string[];
}

/**
 * Gets a container its addresses and host ports before its process is made, and writes the files that say them. What a
 * failure leaves is taken away by the caller's settling.
 *
 * @throws BerthError `network.unknown`, `network.addresses-exhausted`, `port.taken`, `network.container-not-running` …
 */
export async function joinNetworks(context: EngineContext, record: StoredContainer): Promise<JoinedNetworks> {
  const { networkNamespace: namespace } = record.config;
  switch (namespace.kind) {
    case 'host':
      writeFiles(context, record, { kind: 'host' }, []);
      return { links: [], namespaces: [], files: pathsOf(context, record.id), environment: [] };
    case 'container':
      return joinContainer(context, record, namespace.id);
    case 'own':
      return joinOwn(context, record);
    default:
      throw namespace satisfies never;
  }
}

/** In another's namespace its names and resolvers hold too: its files are used, not copied. */
function joinContainer(context: EngineContext, { id }: StoredContainer, otherId: string): JoinedNetworks {
  const other = context.store.get(otherId);
  if (other === undefined) {
    const text = `joining network namespace of container: No such container: ${otherId}`;
    throw new BerthError('internal', 'network.container-unknown', text);
  }
  if (other.id === id) {
    throw new BerthError('internal', 'network.container-own', 'cannot join own network namespace');
  }
  if (other.state !== 'running' || other.pid === 0) {
    const text = `cannot join network namespace of a non running container: container ${other.config.name} is ${other.state}`;
    throw new BerthError('conflict', 'network.container-not-running', text);
  }
  const path = `/proc/${other.pid}/ns/net`;
  return { links: [], namespaces: [{ type: 'network', path }], files: pathsOf(context, other.id), environment: [] };
}

async function joinOwn(context: EngineContext, record: StoredContainer): Promise<JoinedNetworks> {
  const { config, id } = record;
  const { store, resolver } = context;
  const linked = requireLegacyLinks(config, (containerId) => store.get(containerId));
  await leaveOthers(context, record);
  const links = await settingUp(() => leaseAll(context, id, config.endpoints));
  const published = await reservePorts(context, record, links);
  store.update(id, { address: primaryAddress(config.endpoints, links), links, published });
  const place = ownPlace(config.endpoints, links);
  writeFiles(context, record, place, linked);
  // Before its process: its first question is answered by its own options, and nobody asks for it in vain.
  if (links.some(hasNames)) await resolver?.update(currentNames(context));
  return {
    links: launchLinks(config.endpoints, links),
    namespaces: [{ type: 'network' }],
    files: pathsOf(context, id),
    environment: linked.flatMap(({ environment }) => environment),
  };
}

/**
 * Makes what a running container has agree with what it should have, after the runner was away: a connection or
 * disconnection that was cut off is carried to its end.
 */
export async function adoptNetworks(context: EngineContext, record: StoredContainer, pid: number): Promise<void> {
  const { config, id } = record;
  const { network, launcher, store } = context;
  if (config.networkNamespace.kind !== 'own') return;
  await leaveOthers(context, record);
  const links = await leaseAll(context, id, config.endpoints);
  const leading = gatewayLink(config.endpoints, links);
  for (const link of links) {
    if (await network.hasLink(link.hostName)) continue;
    try {
      await launcher.connectLink(pid, launchLink(link, link === leading));
    } catch (error) {
      if (!isBerthError(error) || error.code !== 'link.no-process') throw error;
      break; // its shim is about to tell of its end
    }
  }
  const reserved = network.reserved(id);
  // A database of before ports were remembered: all of them were fixed then.
  const published: readonly BoundPort[] =
    reserved.length > 0 ? reserved : config.ports.filter((one) => one.hostPort > 0);
  updateFiles(context, store.update(id, { address: primaryAddress(config.endpoints, links), links, published }));
}

/** In the order of the endpoints, so that the first of them is `eth0`; `host` and `none` have nothing to lease. */
async function leaseAll(
  { network }: EngineContext,
  id: string,
  endpoints: readonly EndpointConfig[],
): Promise<readonly NetworkLink[]> {
  const links: NetworkLink[] = [];
  for (const { network: reference, ipv4Address, macAddress } of endpoints) {
    const kind = network.find(reference)?.kind;
    if (kind === 'host' || kind === 'none') continue;
    links.push(await network.lease(id, reference, { ipv4Address, macAddress }));
  }
  return links;
}

/** Ends leases on networks that the container is no longer to be on. */
async function leaveOthers({ network }: EngineContext, { id, config }: StoredContainer): Promise<void> {
  for (const networkId of network.leased(id)) {
    const networkName = network.find(networkId)?.name ?? '';
    if (config.endpoints.some((endpoint) => isEndpointOf(endpoint, { networkId, networkName }))) continue;
    await network.leave(id, networkId);
  }
}

/** Where no network has a way in, ports are not published, as with Docker. */
async function reservePorts(
  { network }: EngineContext,
  { id, config }: StoredContainer,
  links: readonly NetworkLink[],
): Promise<readonly BoundPort[]> {
  const leading = gatewayLink(config.endpoints, links);
  if (config.ports.length === 0 || leading === undefined) return [];
  const at = network.find(leading.networkId);
  const hostAddress = at?.kind === 'bridge' ? at.hostAddress : '0.0.0.0';
  const wanted = config.ports.map((port) => ({ ...port, hostAddress: port.hostAddress ?? hostAddress }));
  return settingUp(async () => {
    try {
      return await network.reserve(id, config.publishGroup, wanted);
    } catch (error) {
      if (!isBerthError(error)) throw error;
      const endpoint = `${config.name} (${combinedId(id, leading.networkId)})`;
      const text = `driver failed programming external connectivity on endpoint ${endpoint}: ${error.message}`;
      throw new BerthError(error.kind, error.code, text, { cause: error, ...remedyOf(error) });
    }
  });
}

/** The address by which the container is known where it has room for one only. */
export function primaryAddress(
  endpoints: readonly EndpointConfig[],
  links: readonly NetworkLink[],
): string | undefined {
  return (gatewayLink(endpoints, links) ?? links[0])?.address;
}

/** A refusal in dockerd's words. */
async function settingUp<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!isBerthError(error)) throw error;
    throw new BerthError(error.kind, error.code, `failed to set up container networking: ${error.message}`, {
      cause: error,
      ...remedyOf(error),
    });
  }
}

function remedyOf({ remedy }: BerthError): { remedy?: string } {
  return remedy === undefined ? {} : { remedy };
}

/** The link by which the container reaches the world goes first. */
function ownPlace(endpoints: readonly EndpointConfig[], links: readonly NetworkLink[]): NetworkPlace {
  const leading = gatewayLink(endpoints, links);
  const ordered = links.toSorted((a, b) => Number(b === leading) - Number(a === leading));
  const entries = ordered.map(({ address, gateway, networkName }): FileEndpoint => ({
    address,
    gateway,
    hasNames: hasNames({ networkName }),
  }));
  return { kind: 'own', endpoints: entries };
}

function hasNames({ networkName }: Pick<NetworkLink, 'networkName'>): boolean {
  return !isPredefined(networkName);
}

/** What the resolver is to know now. */
export function currentNames({ network, store }: Pick<EngineContext, 'network' | 'store'>): readonly NetworkNames[] {
  return networkNames(network.list(), store.list(), { forwardsOnDefault: hasOnlyLocalResolvers() });
}

/** Brings a running container's files up to date, after its networks have changed. */
export function updateFiles(context: EngineContext, record: StoredContainer): void {
  const { id, config, links = [] } = record;
  const linked = legacyLinks(config, (containerId) => context.store.get(containerId));
  updateNetworkFiles(pathsOf(context, id), config, filesContext(context, ownPlace(config.endpoints, links), linked));
}

function writeFiles(
  context: EngineContext,
  { id, config }: StoredContainer,
  place: NetworkPlace,
  linked: readonly LegacyLink[],
): void {
  writeNetworkFiles(pathsOf(context, id), config, filesContext(context, place, linked));
}

function filesContext(
  { network: { gateway } }: EngineContext,
  place: NetworkPlace,
  linked: readonly LegacyLink[],
): NetworkFilesContext {
  return { place, hostGateway: gateway, fallbackResolver: gateway, links: linked.map(({ entry }) => entry) };
}
