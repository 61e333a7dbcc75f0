import { z } from 'zod';
import { BerthError, isBerthError } from '#shared/errors.ts';
import { ANONYMOUS_LABEL, anonymousName } from '../volume/volume-name.ts';
import type { VolumeRecord } from '../volume/volume-store.ts';
import { json, noContent, type Answer } from './answer.ts';
import { atLeast, flag, jsonBody, option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { booleanFilter, parseFilters, passes, passesLabels, type Filters } from './translate/filters.ts';
import { treeBytes } from '../os/tree-bytes.ts';

/** VolumeCreateOptions; without a swarm no volume is a cluster's. */
const volumeBody = z.looseObject({
  Name: z.string().nullish(),
  Driver: z.string().nullish(),
  DriverOpts: z.record(z.string(), z.string()).nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
});

/** POST /volumes/create */
export async function createVolume({ volumes }: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const body = await jsonBody(request, volumeBody);
  const name = body.Name || anonymousName();
  refuseDriver(body.Driver ?? '', name);
  const labels = body.Name ? (body.Labels ?? null) : { ...body.Labels, [ANONYMOUS_LABEL]: '' };
  const volume = await volumes.create({ name, labels, options: body.DriverOpts ?? null });
  return json(volumeDocument({ volumes }, volume), 201);
}

/** @throws BerthError `docker.no-driver`: there is the driver `local` alone */
export function refuseDriver(driver: string, name: string): void {
  if (driver === '' || driver === 'local') return;
  const shown = driver.slice(0, 80);
  const text = `create ${name}: error looking up volume plugin ${shown}: plugin "${shown}" not found`;
  throw new BerthError('not-found', 'docker.no-driver', text);
}

/** GET /volumes */
export function listVolumes(context: DockerApiContext, request: ApiRequest): Answer {
  const filters = parseFilters(option(request, 'filters'), ['dangling', 'driver', 'label', 'name']);
  const dangling = booleanFilter(filters, 'dangling');
  const shown = context.volumes
    .list()
    .filter(
      ({ name, labels }) =>
        passes(filters, 'name', (value) => matches(name, value)) &&
        passes(filters, 'driver', (value) => value === 'local') &&
        passesLabels(filters, labels ?? {}) &&
        (dangling === undefined || dangling === (context.volumes.usersOf(name).length === 0)),
    );
  return json({ Volumes: shown.map((volume) => volumeDocument(context, volume)), Warnings: null });
}

/** GET /volumes/{name} */
export function inspectVolume(context: DockerApiContext, request: ApiRequest): Answer {
  return json(volumeDocument(context, context.volumes.require(parameter(request, 'name'))));
}

/** DELETE /volumes/{name} */
export async function removeVolume({ volumes }: DockerApiContext, request: ApiRequest): Promise<Answer> {
  try {
    await volumes.remove(parameter(request, 'name'));
  } catch (error) {
    const isMissing = isBerthError(error) && error.code === 'volume.unknown';
    if (!isMissing || !flag(request, 'force')) throw error;
  }
  return noContent;
}

/** POST /volumes/prune: those that no container uses; of these, the ones with a name only when asked. */
export async function pruneVolumes(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const filters = parseFilters(option(request, 'filters'), ['all', 'label', 'label!']);
  const named = atLeast(request, '1.42') ? (booleanFilter(filters, 'all') ?? false) : true;
  const { volumes } = context;
  const removed: string[] = [];
  let bytes = 0;
  for (const { name, labels, options } of volumes.list()) {
    if (hasOptions(options)) continue;
    if (volumes.usersOf(name).length > 0 || !isChosen(filters, labels ?? {})) continue;
    if (!named && !Object.hasOwn(labels ?? {}, ANONYMOUS_LABEL)) continue;
    const size = await treeBytes(volumes.pathOf(name));
    try {
      await volumes.remove(name);
    } catch (error) {
      // Somebody took it into use, or away, meanwhile.
      if (isBerthError(error) && ['volume.in-use', 'volume.unknown'].includes(error.code)) continue;
      throw error;
    }
    removed.push(name);
    bytes += size;
  }
  context.events.tell({ type: 'volume', action: 'prune', id: '', attributes: { reclaimed: `${bytes}` } });
  return json({ VolumesDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: bytes });
}

/** GET /system/df, Volumes: with what they hold, which only this asks for. */
export async function volumeUsages(context: Pick<DockerApiContext, 'volumes'>): Promise<readonly unknown[]> {
  const documents: unknown[] = [];
  for (const volume of context.volumes.list()) {
    const { name, options } = volume;
    if (hasOptions(options)) continue;
    const usage = {
      RefCount: context.volumes.usersOf(name).length,
      Size: await treeBytes(context.volumes.pathOf(name)),
    };
    documents.push({ ...volumeDocument(context, volume), UsageData: usage });
  }
  return documents;
}

/** What lies elsewhere, on a device or a server, is neither measured nor pruned, as by dockerd. */
function hasOptions(options: VolumeRecord['options']): boolean {
  return Object.keys(options ?? {}).length > 0;
}

function isChosen(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  const unwanted = filters.get('label!') ?? [];
  return (
    passesLabels(filters, labels) && !unwanted.some((label) => passesLabels(new Map([['label', [label]]]), labels))
  );
}

/** Volume of the Docker Engine API. */
function volumeDocument(
  { volumes }: Pick<DockerApiContext, 'volumes'>,
  { name, labels, options, createdAtMs }: VolumeRecord,
): Readonly<Record<string, unknown>> {
  return {
    CreatedAt: new Date(createdAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    Driver: 'local',
    Labels: labels,
    Mountpoint: volumes.pathOf(name),
    Name: name,
    Options: options,
    Scope: 'local',
  };
}

/** A part of the name, or a regular expression that matches it. */
function matches(name: string, value: string): boolean {
  if (name.includes(value)) return true;
  if (value.length > 100) return false;
  try {
    return new RegExp(value).test(name);
  } catch {
    return false;
  }
}
