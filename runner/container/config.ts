import { z } from 'zod';
import { healthcheck, restartPolicy } from '#shared/model/service.ts';
import { isolationShape } from './isolation-config.ts';
import { logShape } from './log-config.ts';
import { mountShape } from './mount-config.ts';
import { networkShape } from './network-config.ts';
import { resourceShape } from './resource-config.ts';

const dockerRequest = z.object({
  config: z.record(z.string(), z.unknown()),
  hostConfig: z.record(z.string(), z.unknown()),
});

/** What a container is made of, complete with defaults: image config and options are already merged by the caller. */
export const containerConfig = z.object({
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/),
  /** Reference as asked for, kept for display. */
  image: z.string(),
  imageId: z.string(),
  args: z.array(z.string()).min(1),
  environment: z.array(z.string()),
  workingDirectory: z.string(),
  user: z.string(),
  additionalGroups: z.array(z.string()).default([]),
  labels: z.record(z.string(), z.string()),
  terminal: z.boolean().default(false),
  stdin: z.boolean().default(false),
  restart: restartPolicy,
  healthcheck: healthcheck.optional(),
  stopSignal: z.string().default('SIGTERM'),
  stopTimeoutMs: z.int().min(0).default(10_000),
  ...isolationShape,
  ...resourceShape,
  ...mountShape,
  ...networkShape,
  ...logShape,
  /** Removed as soon as it has ended, its exit code told. */
  autoRemove: z.boolean().optional(),
  /** What a client of the Docker API asked for, as it is told again; this file's other fields are what is done. */
  docker: dockerRequest.optional(),
  /** The task that this container was made for, with its slot: `(serviceId, slot)` never runs twice on a host. */
  task: z.object({ id: z.string(), epoch: z.int(), serviceId: z.string(), slot: z.int() }).optional(),
});
export type ContainerConfig = z.infer<typeof containerConfig>;
