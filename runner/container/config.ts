import { z } from 'zod';
import { healthcheck, publishedPort, restartPolicy } from '#shared/model/service.ts';

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
  hostname: z.string(),
  labels: z.record(z.string(), z.string()),
  terminal: z.boolean().default(false),
  stdin: z.boolean().default(false),
  restart: restartPolicy,
  healthcheck: healthcheck.optional(),
  ports: z.array(publishedPort),
  /** Containers with the same group share published ports, balanced; others collide. A service's id, or the container's. */
  publishGroup: z.string(),
  stopSignal: z.string().default('SIGTERM'),
  stopTimeoutMs: z.int().min(0).default(10_000),
  memoryBytes: z.int().min(0).default(0),
  pidsLimit: z.int().min(0).default(0),
  /** Removed as soon as it has ended, its exit code told. */
  autoRemove: z.boolean().optional(),
  /** What a client of the Docker API asked for, as it is told again; this file's other fields are what is done. */
  docker: dockerRequest.optional(),
  readonlyRootfs: z.boolean().default(false),
  noNewPrivileges: z.boolean().default(false),
  shmBytes: z
    .int()
    .min(0)
    .default(64 * 1024 * 1024),
  rlimits: z.array(z.object({ type: z.string(), soft: z.int(), hard: z.int() })).default([]),
  /** The task that this container was made for, with its slot: `(serviceId, slot)` never runs twice on a host. */
  task: z.object({ id: z.string(), epoch: z.int(), serviceId: z.string(), slot: z.int() }).optional(),
});
export type ContainerConfig = z.infer<typeof containerConfig>;
