import { z } from 'zod';
import { digest } from '../digest.ts';

/** The part of an OCI image config (image-spec, config.md) that runs a container, plus Docker's Healthcheck. */
export const imageConfig = z.object({
  created: z.string().optional(),
  architecture: z.string(),
  os: z.string(),
  config: z
    .object({
      User: z.string().nullish(),
      ExposedPorts: z.record(z.string(), z.object({})).nullish(),
      Env: z.array(z.string()).nullish(),
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
      Volumes: z.record(z.string(), z.object({})).nullish(),
      WorkingDir: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      StopSignal: z.string().nullish(),
      Healthcheck: z
        .object({
          Test: z.array(z.string()).nullish(),
          Interval: z.int().nullish(), // nanoseconds, as the other durations
          Timeout: z.int().nullish(),
          StartPeriod: z.int().nullish(),
          StartInterval: z.int().nullish(),
          Retries: z.int().nullish(),
        })
        .nullish(),
    })
    .nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest) }),
});
export type ImageConfig = z.infer<typeof imageConfig>;
