import { BerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { json, type Answer } from './answer.ts';
import { option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { endpointSettings, prefixLengthOf } from './translate/container-network.ts';
import { parseFilters, passes, passesLabels } from './translate/filters.ts';

/** GET /networks: the one bridge. */
export function listNetworks(context: DockerApiContext, request: ApiRequest): Answer {
  const known = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
  const filters = parseFilters(option(request, 'filters'), known);
  const shown =
    passes(filters, 'name', (value) => 'bridge'.includes(value)) &&
    passes(filters, 'id', (value) => context.network.id.startsWith(value)) &&
    passes(filters, 'driver', (value) => value === 'bridge') &&
    passes(filters, 'scope', (value) => value === 'local') &&
    passes(filters, 'type', (value) => value === 'builtin') &&
    passes(filters, 'dangling', (value) => value !== 'true' && value !== '1') &&
    passesLabels(filters, {});
  return json(shown ? [networkDocument(context, [])] : []);
}

/** GET /networks/{id} */
export function inspectNetwork(context: DockerApiContext, request: ApiRequest): Answer {
  const reference = parameter(request, 'id');
  const found = reference === 'bridge' || (reference.length > 2 && context.network.id.startsWith(reference));
  if (!found) throw new BerthError('not-found', 'docker.no-network', `network ${reference.slice(0, 80)} not found`);
  return json(networkDocument(context, context.engine.list()));
}

function networkDocument({ network }: DockerApiContext, records: readonly ContainerRecord[]): unknown {
  const running = records.filter((record) => record.address !== undefined && record.state === 'running');
  return {
    Name: 'bridge',
    Id: network.id,
    Created: '0001-01-01T00:00:00Z',
    Scope: 'local',
    Driver: 'bridge',
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: network.subnet, Gateway: network.gateway }] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      running.map((record) => [
        record.id,
        {
          Name: record.config.name,
          EndpointID: record.id,
          MacAddress: endpointSettings(record, network)['MacAddress'],
          IPv4Address: `${record.address ?? ''}/${prefixLengthOf(network)}`,
          IPv6Address: '',
        },
      ]),
    ),
    Options: { 'com.docker.network.bridge.default_bridge': 'true', 'com.docker.network.bridge.name': network.bridge },
    Labels: {},
  };
}

/** POST /networks/prune: there is nothing to take away. */
export function pruneNetworks(): Answer {
  return json({ NetworksDeleted: null });
}
