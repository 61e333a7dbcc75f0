import { json, type Answer } from './answer.ts';
import { option, type ApiRequest } from './api-request.ts';
import { sizeOf } from './container-view.ts';
import { pruneContainers } from './container-lifecycle.ts';
import type { DockerApiContext } from './context.ts';
import { notInThisVersion } from './docker-errors.ts';
import { containerSummary } from './translate/container-summary.ts';
import { parseFilters, passesLabels } from './translate/filters.ts';
import { volumeUsages } from './volumes.ts';
import { untilMs } from './translate/until-filter.ts';
import { infoAnswer, versionAnswer } from './translate/host.ts';
import { imageSummary } from './translate/image-document.ts';

/** GET and HEAD /_ping */
export function ping(): Answer {
  return {
    kind: 'text',
    headers: {
      'Cache-Control': 'no-cache, no-store, must-revalidate',
      Pragma: 'no-cache',
      'Builder-Version': '1', // the classic builder: there is no BuildKit here
      Swarm: 'inactive',
    },
    body: 'OK',
  };
}

/** GET /version */
export function version(context: DockerApiContext): Answer {
  return json(versionAnswer(context.view()));
}

/** GET /info */
export function info(context: DockerApiContext): Answer {
  return json(infoAnswer(context.view()));
}

/** GET /system/df */
export async function diskUsage(context: DockerApiContext): Promise<Answer> {
  const { network, engine, images } = context;
  const now = context.clock();
  const volumePath = (name: string): string => context.volumes.pathOf(name);
  const records = engine.list();
  const containers: unknown[] = [];
  const imageId = (reference: string): string | undefined => images.find(reference)?.id;
  for (const record of records) {
    containers.push(
      containerSummary(record, { network, now, imageId, volumePath, size: await sizeOf(context, record) }),
    );
  }
  const stored = images.list();
  const users = (id: string): number => records.filter((record) => record.config.imageId === id).length;
  return json({
    LayersSize: stored.reduce((sum, image) => sum + image.sizeBytes, 0),
    Images: stored.map((image) => ({ ...imageSummary(image, users(image.id)), SharedSize: 0 })),
    Containers: containers,
    Volumes: await volumeUsages(context),
    BuildCache: [],
  });
}

/** POST /auth */
export function authenticate(): Answer {
  throw notInThisVersion('Logging in to a registry');
}

/** POST /containers/prune */
export function pruneStopped(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const filters = parseFilters(option(request, 'filters'), ['label', 'label!', 'until']);
  const before = untilMs(filters, context.clock());
  return pruneContainers(
    context,
    (labels, createdAtMs) =>
      passesLabels(filters, labels) &&
      !(filters.get('label!') ?? []).some((label) => passesLabels(new Map([['label', [label]]]), labels)) &&
      (before === undefined || createdAtMs < before),
  );
}

/** POST /build/prune, which `docker system prune` asks for too: this version builds nothing, so nothing is kept of builds. */
export function pruneBuildCache(): Answer {
  return json({ CachesDeleted: null, SpaceReclaimed: 0 });
}
