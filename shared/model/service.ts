import { z } from 'zod';
import { MAX_TIMER_MS } from '../duration.ts';
import { objectName } from './names.ts';

/** When a runner starts a container again after it ended (Compose `restart`). */
export const restartPolicy = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('no') }),
  z.object({ kind: z.literal('always') }),
  z.object({ kind: z.literal('unless-stopped') }),
  z.object({ kind: z.literal('on-failure'), maxRetries: z.int().min(1).optional() }),
]);
export type RestartPolicy = z.infer<typeof restartPolicy>;

/** A command that tells whether a container is healthy, run inside it (Compose `healthcheck`). */
export const healthcheck = z.object({
  /** argv; a Compose CMD-SHELL test is stored as ["/bin/sh", "-c", text]. */
  command: z.array(z.string()).min(1),
  intervalMs: z.int().min(1).max(MAX_TIMER_MS).default(30_000),
  timeoutMs: z.int().min(1).max(MAX_TIMER_MS).default(30_000),
  retries: z.int().min(1).default(3),
  startPeriodMs: z.int().min(0).max(MAX_TIMER_MS).default(0),
  /** Between probes in the start period; absent: `intervalMs`. */
  startIntervalMs: z.int().min(1).max(MAX_TIMER_MS).optional(),
});
export type Healthcheck = z.infer<typeof healthcheck>;

/** A container port that is reachable on every host that runs a replica, at `hostPort`. */
export const publishedPort = z.object({
  protocol: z.enum(['tcp', 'udp']),
  hostPort: z.int().min(1).max(65_535),
  containerPort: z.int().min(1).max(65_535),
});
export type PublishedPort = z.infer<typeof publishedPort>;

/** What one container of a service is; also the part of a task that a host receives. Memory in bytes. */
export const containerSpec = z.object({
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  labels: z.record(z.string(), z.string()).default({}),
  ports: z.array(publishedPort).default([]),
  restart: restartPolicy.default({ kind: 'unless-stopped' }),
  /** Absent: what the image says. */
  healthcheck: z.union([healthcheck, z.literal('disabled')]).optional(),
});
export type ContainerSpec = z.infer<typeof containerSpec>;

/** What becomes of a slot when its host is away (DESIGN: `on_disconnect`). */
export const onDisconnect = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('keep') }),
  z.object({ kind: z.literal('replace-after'), afterMs: z.int().min(0).max(MAX_TIMER_MS) }),
  z.object({ kind: z.literal('stop-after'), afterMs: z.int().min(0).max(MAX_TIMER_MS) }),
]);
export type OnDisconnect = z.infer<typeof onDisconnect>;

/** The desired state of a service. */
export const serviceSpec = z.object({
  name: objectName,
  replicas: z.int().min(0).max(10_000),
  container: containerSpec,
  onDisconnect: onDisconnect.default({ kind: 'replace-after', afterMs: 60_000 }),
});
export type ServiceSpec = z.infer<typeof serviceSpec>;

/** A stack's normalised configuration: what a revision stores and digests. */
export const stackConfig = z.object({
  name: objectName,
  services: z.array(serviceSpec).min(1),
});
export type StackConfig = z.infer<typeof stackConfig>;
