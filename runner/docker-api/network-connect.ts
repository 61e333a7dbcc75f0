import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../container/engine.ts';
import type { NetworkRecord } from '../network/network-record.ts';
import type { Answer } from './answer.ts';
import { jsonBody, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer, requireNetwork } from './docker-errors.ts';
import { endpointConfigOf, endpointSettingsBody } from './translate/create/endpoint-settings.ts';
import { disconnectEvent } from './translate/event-message.ts';
import { networkConflict } from './translate/create/network-conflicts.ts';

const connectBody = z.looseObject({ Container: z.string().nullish(), EndpointConfig: endpointSettingsBody.nullish() });
const disconnectBody = z.looseObject({ Container: z.string().nullish(), Force: z.boolean().nullish() });

const done: Answer = { kind: 'text', body: '' };

/** POST /networks/{id}/connect */
export async function connectNetwork(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const body = await jsonBody(request, connectBody);
  const record = requireContainer(context, body.Container ?? '');
  const network = requireNetwork(context, parameter(request, 'id'));
  checkConnection(context, record, network);
  const endpoint = endpointConfigOf(network.name, network, body.EndpointConfig ?? {});
  await context.engine.connect(record.id, endpoint);
  return done;
}

/** POST /networks/{id}/disconnect */
export async function disconnectNetwork(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const body = await jsonBody(request, disconnectBody);
  const network = requireNetwork(context, parameter(request, 'id'));
  const reference = body.Container ?? '';
  if (body.Force === true && context.engine.find(reference) === undefined) {
    throw new BerthError('not-found', 'docker.no-endpoint', `endpoint ${reference.slice(0, 160)} not found`);
  }
  const record = requireContainer(context, reference);
  if (record.state === 'removing') throw beingRemoved();
  if (record.config.networkNamespace.kind === 'host' && network.kind === 'host') throw networkConflict('host-network');
  await context.engine.disconnect(record.id, network.id);
  // Of one that runs, its record tells.
  if (record.links === undefined || record.links.length === 0) {
    context.events.tell(disconnectEvent(record, { networkId: network.id, networkName: network.name }));
  }
  return done;
}

/** What cannot be together on one container, in dockerd's words and order. */
function checkConnection(
  { network: networks }: DockerApiContext,
  record: ContainerRecord,
  network: NetworkRecord,
): void {
  const { networkNamespace, endpoints } = record.config;
  if (record.state === 'removing') throw beingRemoved();
  if (networkNamespace.kind === 'container') throw networkConflict('shared-network');
  if (networkNamespace.kind !== 'host' && network.kind === 'host') throw networkConflict('not-host-mode');
  for (const endpoint of endpoints) {
    const other = networks.find(endpoint.network);
    if (other === undefined || other.id === network.id) continue;
    if (other.kind === 'host' || network.kind === 'host') throw networkConflict('shared-network');
    if (other.kind === 'none' || network.kind === 'none') throw networkConflict('none-network');
  }
}

function beingRemoved(): BerthError {
  const text = 'container is marked for removal and cannot be connected or disconnected';
  return new BerthError('conflict', 'docker.being-removed', text);
}
