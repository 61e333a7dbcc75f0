import { z } from 'zod';
import type { Digest } from '#shared/digest.ts';
import type { RunConfig } from './change-config.ts';

/** How a new image came to be: its entry in `history` (OCI image-spec, config.md). */
export interface HistoryStep {
  readonly created: string;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
}

/** What a new image has of the one below it, as its config says it. */
const parentConfig = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().nullish(),
  history: z.array(z.record(z.string(), z.unknown())).nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

export interface NewConfig {
  /** The parent's config; undefined: the image has no parent. */
  readonly parentText?: string | undefined;
  readonly platform: { readonly architecture: string; readonly os: string };
  readonly config: RunConfig;
  readonly step: HistoryStep;
  readonly layers: readonly Digest[];
  /** The step has changed no file. */
  readonly emptyLayer: boolean;
}

/** The config of an image that a container, or a root file system, was made into, as JSON. */
export function newConfigText({ parentText, platform, config, step, layers, emptyLayer }: NewConfig): string {
  const parent = parentText === undefined ? undefined : parentConfig.parse(JSON.parse(parentText));
  const { created, createdBy, author, comment } = step;
  // A parent without a history of its own gets one, or it would look as if this step had made all its layers.
  const steps = parent?.history ?? parent?.rootfs.diff_ids.map(() => ({ created_by: '' })) ?? [];
  return JSON.stringify({
    architecture: parent?.architecture ?? platform.architecture,
    ...(parent?.variant ? { variant: parent.variant } : {}),
    ...(author === '' ? {} : { author }),
    config: Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined && value !== null)),
    created,
    history: [
      ...steps,
      {
        created,
        ...(author === '' ? {} : { author }),
        created_by: createdBy,
        ...(comment === '' ? {} : { comment }),
        ...(emptyLayer ? { empty_layer: true } : {}),
      },
    ],
    os: parent?.os ?? platform.os,
    rootfs: { type: 'layers', diff_ids: layers },
  });
}
