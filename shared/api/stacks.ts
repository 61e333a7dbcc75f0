import { z } from 'zod';
import { digest } from '../digest.ts';
import { objectId, objectName } from '../model/names.ts';
import { serviceSpec, stackConfig } from '../model/service.ts';
import { healthState, taskState } from '../model/task.ts';

/** Longest Compose file that is accepted, in characters. */
export const MAX_COMPOSE_CHARACTERS = 1024 * 1024;

/** PUT /v1/stacks/{name}: apply a Compose file. */
export const applyRequest = z.object({
  compose: z.string().max(MAX_COMPOSE_CHARACTERS),
  message: z.string().max(1000).optional(),
  /** Apply under the name in the path though the file has another `name`, which is refused otherwise. */
  overrideName: z.boolean().optional(),
  /** Refuse unless this is the stack's current revision number (0: unless it does not exist). */
  expectedRevision: z.int().min(0).optional(),
});

export const serviceChange = z.object({
  service: objectName,
  change: z.enum(['created', 'updated', 'scaled', 'removed', 'unchanged']),
});
export const applyResponse = z.object({
  stack: objectName,
  revision: z.int(),
  digest,
  /** False when the configuration equals the current revision: nothing was written. */
  changed: z.boolean(),
  services: z.array(serviceChange),
});
export type ApplyResponse = z.infer<typeof applyResponse>;

export const stackView = z.object({
  name: objectName,
  revision: z.int(),
  digest,
  message: z.string(),
  appliedAtMs: z.int(),
  appliedBy: z.string(),
  services: z.int(),
  /** Tasks that are running (and healthy where a health check is set), of those desired. */
  runningReplicas: z.int(),
  desiredReplicas: z.int(),
});
export const stackList = z.object({ stacks: z.array(stackView) });
export const stackDetail = stackView.extend({ config: stackConfig });

export const serviceView = z.object({
  id: objectId,
  stack: objectName,
  spec: serviceSpec,
  runningReplicas: z.int(),
});
export type ServiceView = z.infer<typeof serviceView>;
/** GET /v1/services?stack= */
export const serviceList = z.object({ services: z.array(serviceView) });

/** POST /v1/stacks/{stack}/services/{service}/scale: makes a new revision. Answers applyResponse. */
export const scaleRequest = z.object({ replicas: z.int().min(0).max(10_000) });

export const taskView = z.object({
  id: objectId,
  stack: objectName,
  service: objectName,
  slot: z.int(),
  /** Name and id of its host; absent while no host qualifies. */
  host: z.object({ id: objectId, name: objectName }).optional(),
  state: taskState,
  health: healthState,
  /** True when the control plane still wants this task. */
  desired: z.boolean(),
  image: z.string(),
  containerId: z.string().optional(),
  address: z.string().optional(),
  exitCode: z.int().optional(),
  restarts: z.int(),
  message: z.string(),
  createdAtMs: z.int(),
  observedAtMs: z.int().optional(),
});
export type TaskView = z.infer<typeof taskView>;
/** GET /v1/tasks?stack=&service=&host=&all= : without `all`, only tasks that are desired or not yet terminal. */
export const taskList = z.object({
  tasks: z.array(taskView),
  /** Slots for which no host qualifies now, and why. */
  pending: z.array(z.object({ stack: objectName, service: objectName, slot: z.int(), reason: z.string() })),
});
