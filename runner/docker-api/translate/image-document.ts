import { BerthError } from '#shared/errors.ts';
import { z } from 'zod';
import type { ImageRecord } from '../../image/store.ts';
import { dockerDriverName } from '../../storage/driver-name.ts';
import type { StorageDriver } from '../../storage/storage-driver.ts';
import { familiarReference, parseReference } from '#shared/oci/reference.ts';
import { zeroTime } from './container-status.ts';

/** What of an image config is shown beyond what runs a container. */
const shownConfig = z.looseObject({
  created: z.string().nullish(),
  author: z.string().nullish(),
  architecture: z.string().nullish(),
  variant: z.string().nullish(),
  os: z.string().nullish(),
  config: z.record(z.string(), z.unknown()).nullish(),
  rootfs: z.looseObject({ diff_ids: z.array(z.string()) }).nullish(),
  history: z
    .array(
      z.looseObject({
        created: z.string().nullish(),
        created_by: z.string().nullish(),
        comment: z.string().nullish(),
        empty_layer: z.boolean().nullish(),
      }),
    )
    .nullish(),
});

type Document = Readonly<Record<string, unknown>>;

/** `docker.io/library/hello:1` as people write it. */
export function familiar(reference: string): string {
  return familiarReference(parseReference(reference));
}

/** One entry of GET /images/json (ImageSummary). */
export function imageSummary(image: ImageRecord, containers: number): Document {
  return {
    Containers: containers,
    Created: Math.floor(image.createdAtMs / 1000),
    Id: image.id,
    Labels: image.config.config?.Labels ?? null,
    ParentId: '',
    RepoDigests: [],
    RepoTags: image.references.map(familiar),
    SharedSize: -1,
    Size: image.sizeBytes,
  };
}

/** GET /images/{name}/json (ImageInspect). */
export function imageDocument(
  image: ImageRecord,
  configText: string,
  storage: Pick<StorageDriver, 'name' | 'graphData'>,
): Document {
  const shown = parseConfig(image.id, configText);
  return {
    Id: image.id,
    RepoTags: image.references.map(familiar),
    RepoDigests: [],
    Parent: '',
    Comment: shown.history?.at(-1)?.comment ?? '',
    Created: shown.created ?? zeroTime,
    DockerVersion: '',
    Author: shown.author ?? '',
    Config: { ...emptyConfig, ...shown.config },
    Architecture: shown.architecture ?? '',
    ...(shown.variant ? { Variant: shown.variant } : {}),
    Os: shown.os ?? '',
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    GraphDriver: { Name: dockerDriverName(storage.name), Data: storage.graphData(undefined, image.layerDirectories) },
    RootFS: { Type: 'layers', Layers: shown.rootfs?.diff_ids ?? [] },
    Metadata: { LastTagTime: zeroTime },
  };
}

const emptyConfig: Document = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** GET /images/{name}/history: newest first. */
export function imageHistory(
  image: ImageRecord,
  detail: { readonly configText: string; readonly layerBytes: readonly number[] },
): readonly Document[] {
  const shown = parseConfig(image.id, detail.configText);
  let layer = 0;
  const entries = (shown.history ?? []).map((step): Record<string, unknown> => {
    const empty = step.empty_layer === true;
    const created = Date.parse(step.created ?? '');
    return {
      Comment: step.comment ?? '',
      Created: Number.isNaN(created) ? 0 : Math.floor(created / 1000),
      CreatedBy: step.created_by ?? '',
      Id: '<missing>',
      Size: empty ? 0 : (detail.layerBytes[layer++] ?? 0),
      Tags: null,
    };
  });
  const last = entries.at(-1);
  if (last !== undefined) Object.assign(last, { Id: image.id, Tags: image.references.map(familiar) });
  return entries.toReversed();
}

function parseConfig(id: string, text: string): z.infer<typeof shownConfig> {
  const parsed = shownConfig.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new BerthError('internal', 'image.config-invalid', `inspect image ${id}: its config cannot be read`);
}
