import { json, type Answer } from './answer.ts';
import { flag, integer, option, parameter, type ApiRequest } from './api-request.ts';
import { placeOf, sizeOf } from './container-view.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import { containerDocument } from './translate/container-document.ts';
import { chosenContainers, containerFilterNames } from './translate/container-filter.ts';
import { containerSummary } from './translate/container-summary.ts';
import { parseFilters } from './translate/filters.ts';

/** GET /containers/json */
export async function listContainers(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const filters = parseFilters(option(request, 'filters'), containerFilterNames);
  const found = new Map<string, string | undefined>();
  const imageId = (reference: string): string | undefined => {
    if (!found.has(reference)) found.set(reference, context.images.find(reference)?.id);
    return found.get(reference);
  };
  const chosen = chosenContainers(context.engine.list(), {
    filters,
    all: flag(request, 'all'),
    limit: integer(request, 'limit'),
    imageId,
    isNetwork: (network, reference) => {
      const named = context.network.find(network);
      return named !== undefined && (named.name === reference || (reference !== '' && named.id.startsWith(reference)));
    },
  });
  const { network } = context;
  const now = context.clock();
  const volumePath = (name: string): string => context.volumes.pathOf(name);
  const withSize = flag(request, 'size');
  const entries: unknown[] = [];
  for (const record of chosen) {
    const size = withSize ? { size: await sizeOf(context, record) } : {};
    entries.push(containerSummary(record, { network, now, imageId, volumePath, ...size }));
  }
  return json(entries);
}

/** GET /containers/{id}/json */
export async function inspectContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const size = flag(request, 'size') ? { size: await sizeOf(context, record) } : {};
  const { network, execs } = context;
  const place = placeOf(context, record);
  return json(containerDocument(record, { network, place, execIds: execs.running(record.id), ...size }));
}
