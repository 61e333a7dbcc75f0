import { z } from 'zod';

/** How much a container may use: a part of its config. 0 is no limit. */
export const resourceShape = {
  memoryBytes: z.int().min(0).default(0),
  pidsLimit: z.int().min(0).default(0),
  rlimits: z.array(z.object({ type: z.string(), soft: z.int(), hard: z.int() })).default([]),
};

const resourceConfig = z.object(resourceShape);
export type ResourceConfig = z.infer<typeof resourceConfig>;
