import { BerthError, isBerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { isPredefined, type BridgeNetworkRecord, type NetworkRecord } from '../network/network-record.ts';
import { json, noContent, type Answer } from './answer.ts';
import { jsonBody, option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { requireNetwork } from './docker-errors.ts';
import { combinedId } from '../network/combined-id.ts';
import { networkEvent, pruneEvent } from './translate/event-message.ts';
import { parseFilters, passesLabels, passesNoLabels } from './translate/filters.ts';
import { networkDocument } from './translate/network-document.ts';
import { networkFilterNames, networkPasses } from './translate/network-filter.ts';
import { networkCreateBody, networkRequestOf } from './translate/network-request.ts';
import { untilMs } from './translate/until-filter.ts';

/** GET /networks */
export function listNetworks({ network, engine }: DockerApiContext, request: ApiRequest): Answer {
  const filters = parseFilters(option(request, 'filters'), networkFilterNames);
  const records = engine.list();
  const chosen = network.list().filter((one) => networkPasses(one, filters, usersOf(one, records).length > 0));
  return json(chosen.map((one) => networkDocument(one, [])));
}

/** GET /networks/{id} */
export function inspectNetwork(context: DockerApiContext, request: ApiRequest): Answer {
  const found = requireNetwork(context, parameter(request, 'id'));
  const scope = option(request, 'scope');
  if (scope !== undefined && scope !== 'local') {
    throw new BerthError(
      'not-found',
      'docker.no-network',
      `network ${parameter(request, 'id').slice(0, 80)} not found`,
    );
  }
  return json(networkDocument(found, context.engine.list()));
}

/** POST /networks/create */
export async function createNetwork(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const wanted = networkRequestOf(await jsonBody(request, networkCreateBody));
  const network = await context.engine.createNetwork(wanted);
  context.events.tell(networkEvent(network, 'create'));
  return json({ Id: network.id, Warning: '' }, 201);
}

/** DELETE /networks/{id} */
export async function removeNetwork(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const network = requireNetwork(context, parameter(request, 'id'));
  try {
    await context.engine.removeNetwork(network.id);
  } catch (error) {
    if (isBerthError(error) && error.code === 'network.in-use') throw inUse(network, context.engine.list());
    throw error;
  }
  context.events.tell(networkEvent(network, 'destroy'));
  return noContent;
}

/** POST /networks/prune: those that no running container is on. */
export async function pruneNetworks(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const filters = parseFilters(option(request, 'filters'), ['until', 'label', 'label!']);
  const until = untilMs(filters, context.clock());
  const chosen = context.network.list().filter((network): network is BridgeNetworkRecord => {
    if (network.kind !== 'bridge' || isPredefined(network.name)) return false;
    if (until !== undefined && network.createdAtMs > until) return false;
    return passesLabels(filters, network.labels) && passesNoLabels(filters, network.labels);
  });
  const removed: string[] = [];
  for (const network of chosen) {
    try {
      await context.engine.removeNetwork(network.id);
    } catch (error) {
      if (isBerthError(error) && ['network.in-use', 'network.unknown'].includes(error.code)) continue;
      throw error;
    }
    removed.push(network.name);
    context.events.tell(networkEvent(network, 'destroy'));
  }
  context.events.tell(pruneEvent('network'));
  return json({ NetworksDeleted: removed.length === 0 ? null : removed });
}

/** Who has an address of a network, running or about to. */
function usersOf(network: NetworkRecord, records: readonly ContainerRecord[]): readonly ContainerRecord[] {
  return records.filter(({ links }) => links?.some(({ networkId }) => networkId === network.id) === true);
}

function inUse(network: NetworkRecord, records: readonly ContainerRecord[]): BerthError {
  const users = usersOf(network, records).map(
    ({ id, config }) => `name:"${config.name}" id:"${combinedId(id, network.id).slice(0, 12)}"`,
  );
  const text = `error while removing network: network ${network.name} has active endpoints (${users.join(', ')})`;
  return new BerthError('forbidden', 'docker.network-in-use', text);
}
