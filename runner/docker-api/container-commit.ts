import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { containerPaths } from '../container/paths.ts';
import { changeConfig, type RunConfig } from '../image/change-config.ts';
import { newConfigText } from '../image/committed-config.ts';
import { hostArchitecture } from '../image/platform.ts';
import { json, type Answer } from './answer.ts';
import { flag, jsonBody, option, type ApiRequest } from './api-request.ts';
import { madeByStart } from './container-changes.ts';
import { watchContainer } from './container-files-view.ts';
import { layersOf } from './container-view.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import { containerEvent } from './translate/event-message.ts';
import { familiar } from './translate/image-document.ts';

const texts = z.array(z.string()).nullish();

/** ContainerConfig of the API, as far as an image has it. */
const commitBody = z.object({
  User: z.string().nullish(),
  Env: texts,
  Cmd: texts,
  Entrypoint: texts,
  WorkingDir: z.string().nullish(),
  StopSignal: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  OnBuild: texts,
});

const imageDefaults = z.looseObject({
  config: z.looseObject({ Volumes: z.record(z.string(), z.strictObject({})).nullish(), OnBuild: texts }).nullish(),
});

/** What of a container's own config an image takes over: the container is upon its image's already. */
function runConfigOf(record: ContainerRecord, body: z.infer<typeof commitBody>): RunConfig {
  const { config } = record;
  const shown = config.docker?.config ?? { Cmd: config.args };
  const asked = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined));
  const kept = ['Cmd', 'Entrypoint', 'ExposedPorts', 'Volumes', 'OnBuild', 'Healthcheck']
    .filter((name) => shown[name] !== undefined && shown[name] !== null)
    .map((name) => [name, shown[name]]);
  return {
    ...Object.fromEntries(kept),
    ...(config.user === '' ? {} : { User: config.user }),
    Env: config.environment,
    ...(config.workingDirectory === '' ? {} : { WorkingDir: config.workingDirectory }),
    ...(Object.keys(config.labels).length === 0 ? {} : { Labels: config.labels }),
    ...(config.stopSignal === 'SIGTERM' ? {} : { StopSignal: config.stopSignal }),
    ...asked,
  };
}

/** The image's config, of which what no client can set for a container (ONBUILD, VOLUME) is the image's still. */
function inherited(context: DockerApiContext, record: ContainerRecord): RunConfig {
  const text = context.images.detail(record.config.imageId)?.configText ?? '{}';
  const { Volumes, OnBuild } = imageDefaults.parse(JSON.parse(text)).config ?? {};
  return { ...(Volumes ? { Volumes } : {}), ...(OnBuild ? { OnBuild } : {}) };
}

/** Its processes stand still meanwhile, unless they do already. */
async function whilePaused<T>(context: DockerApiContext, id: string, work: () => Promise<T>): Promise<T> {
  const { engine } = context;
  const record = engine.find(id);
  if (record?.state !== 'running' || record.paused) return work();
  await engine.pause(id, { momentary: true });
  try {
    return await work();
  } finally {
    // It may have ended, or been unpaused by somebody else.
    await engine.unpause(id).catch(() => undefined);
  }
}

function targetOf(request: ApiRequest): string | undefined {
  const repository = option(request, 'repo');
  if (repository === undefined) return undefined;
  const tag = option(request, 'tag');
  return formatReference(parseReference(tag === undefined ? repository : `${repository}:${tag}`));
}

async function committed(
  context: DockerApiContext,
  request: ApiRequest,
  record: ContainerRecord,
  config: RunConfig,
): Promise<{ readonly id: string }> {
  const { directory } = containerPaths(context.containersDirectory, record.id);
  using watch = watchContainer(context, record.id, { signal: request.signal, untilStart: false });
  const layer = await context.storage.readChanges(directory, layersOf(context, record), {
    skipped: [...madeByStart].map((path) => path.slice(1)),
    signal: watch.signal,
  });
  const step = {
    created: new Date(context.clock()).toISOString(),
    createdBy: record.config.args.join(' '),
    author: request.query.get('author') ?? '',
    comment: request.query.get('comment') ?? '',
  };
  const parentText = context.images.detail(record.config.imageId)?.configText;
  try {
    return await context.images.create({
      parentId: record.config.imageId,
      layer,
      reference: targetOf(request),
      signal: watch.signal,
      configText: (layers, emptyLayer) =>
        newConfigText({
          parentText,
          platform: { architecture: hostArchitecture, os: 'linux' },
          config,
          step,
          layers,
          emptyLayer,
        }),
    });
  } finally {
    layer.destroy();
  }
}

/** POST /commit: what a container has written upon its image becomes a layer of a new one. */
export async function commitContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, option(request, 'container') ?? '');
  if (record.state === 'removing') {
    const text = `You cannot commit container ${record.id} which is being removed`;
    throw new BerthError('conflict', 'docker.removing', text);
  }
  const reference = targetOf(request);
  const body = await jsonBody(request, commitBody);
  const own = { ...inherited(context, record), ...runConfigOf(record, body) };
  const config = changeConfig(own, request.query.getAll('changes'));
  const commit = (): Promise<{ readonly id: string }> => committed(context, request, record, config);
  const { id } = flag(request, 'pause', true) ? await whilePaused(context, record.id, commit) : await commit();
  const comment = request.query.get('comment') ?? '';
  const imageRef = reference === undefined ? '' : familiar(reference);
  context.events.tell(containerEvent(record, 'commit', { comment, imageID: id, imageRef }));
  return json({ Id: id }, 201);
}
