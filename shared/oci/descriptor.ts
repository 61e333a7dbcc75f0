import { z } from 'zod';
import { digest } from '../digest.ts';

/** What an image runs on (image-spec, image-index.md, "platform"). */
export const platform = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
});
export type Platform = z.infer<typeof platform>;

/** A typed, sized, content-addressed link to a blob (image-spec, descriptor.md). `size` is in bytes. */
export const descriptor = z.object({
  mediaType: z.string(),
  digest,
  size: z.int().min(0),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: platform.nullish(),
});
export type Descriptor = z.infer<typeof descriptor>;
