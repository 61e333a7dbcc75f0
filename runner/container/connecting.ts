import { BerthError } from '#shared/errors.ts';
import type { NetworkLink } from '../network/network.ts';
import type { EngineContext } from './engine-context.ts';
import { primaryAddress, updateFiles } from './join-networks.ts';
import { gatewayLink, isEndpointOf, launchLink } from './links.ts';
import type { EndpointConfig } from './network-config.ts';
import type { StoredContainer } from './state.ts';

/*
 * Networks of a container that there is already. Invariants: called from the container's own operation queue; its config
 * says where it is to be before anything is done, so that a runner that starts again carries it to its end.
 */

/**
 * Puts a container on one more network: at once when it runs, else from its next start on.
 *
 * @throws BerthError `network.already-connected`, and what `Network.lease` and `Launcher.connectLink` throw
 */
export async function connectContainer(context: EngineContext, id: string, endpoint: EndpointConfig): Promise<void> {
  const { store, network } = context;
  const record = store.require(id);
  const target = network.find(endpoint.network);
  if (target === undefined) return;
  const place = { networkId: target.id, networkName: target.name };
  const held = record.config.endpoints.find((one) => isEndpointOf(one, place));
  const runs = context.live.has(id);
  if (held !== undefined) {
    if (!runs) return; // as with Docker: what was said first stays
    const text = `endpoint with name ${record.config.name} already exists in network ${target.name}`;
    throw new BerthError('forbidden', 'network.already-connected', text);
  }
  store.configure(id, { endpoints: [...record.config.endpoints, endpoint] });
  if (!runs || target.kind !== 'bridge') return;
  try {
    await plugIn(context, store.require(id), endpoint);
  } catch (error) {
    store.configure(id, { endpoints: record.config.endpoints });
    await network.leave(id, target.id);
    throw error;
  }
}

async function plugIn(context: EngineContext, record: StoredContainer, endpoint: EndpointConfig): Promise<void> {
  const { store, network, launcher } = context;
  const { id, pid, config } = record;
  const { ipv4Address, macAddress } = endpoint;
  const link = await network.lease(id, endpoint.network, { ipv4Address, macAddress });
  const links = [...(record.links ?? []), link];
  // With a gateway the default route becomes this link's.
  await launcher.connectLink(pid, launchLink(link, gatewayLink(config.endpoints, links) === link));
  updateFiles(context, store.update(id, { links, address: primaryAddress(config.endpoints, links) }));
}

/**
 * Takes a container off a network.
 *
 * @throws BerthError `network.not-connected`
 */
export async function disconnectContainer(context: EngineContext, id: string, networkId: string): Promise<void> {
  const { store, network } = context;
  const record = store.require(id);
  const networkName = network.find(networkId)?.name ?? networkId;
  const place = { networkId, networkName };
  const endpoints = record.config.endpoints.filter((one) => !isEndpointOf(one, place));
  const link = record.links?.find((one) => one.networkId === networkId);
  const runs = context.live.has(id);
  if (endpoints.length === record.config.endpoints.length && link === undefined) {
    const text = `container ${id} is not connected to ${runs ? '' : 'the '}network ${networkName}`;
    throw new BerthError('internal', 'network.not-connected', text);
  }
  store.configure(id, { endpoints });
  await network.leave(id, networkId);
  if (link !== undefined) await moveGateway(context, store.require(id), link);
}

/** The default route went with the link, when it was the one: another link gets it. */
async function moveGateway(context: EngineContext, record: StoredContainer, gone: NetworkLink): Promise<void> {
  const { store, launcher } = context;
  const { id, config, pid } = record;
  const links = (record.links ?? []).filter((one) => one.networkId !== gone.networkId);
  const leading = gatewayLink(config.endpoints, links);
  if (leading !== undefined && context.live.has(id)) {
    await launcher.setGateway(pid, leading.containerName, leading.gateway);
  }
  updateFiles(context, store.update(id, { links, address: primaryAddress(config.endpoints, links) }));
}
