import { z } from 'zod';

const texts = z.array(z.string()).nullish();

/** Config of the Docker Engine API: the fields that are heeded, the others as they are. */
export const configBody = z.looseObject({
  Hostname: z.string().nullish(),
  User: z.string().nullish(),
  AttachStdin: z.boolean().nullish(),
  ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
  Tty: z.boolean().nullish(),
  OpenStdin: z.boolean().nullish(),
  StdinOnce: z.boolean().nullish(),
  Env: texts,
  Cmd: z.union([texts, z.string()]),
  Entrypoint: z.union([texts, z.string()]),
  Healthcheck: z
    .object({
      Test: texts,
      Interval: z.int().min(0).nullish(), // nanoseconds, as the others
      Timeout: z.int().min(0).nullish(),
      StartPeriod: z.int().min(0).nullish(),
      StartInterval: z.int().min(0).nullish(),
      Retries: z.int().min(0).nullish(),
    })
    .nullish(),
  Image: z.string().nullish(),
  WorkingDir: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  StopSignal: z.string().nullish(),
  StopTimeout: z.int().nullish(),
});
export type ConfigBody = z.infer<typeof configBody>;

const portBinding = z.object({ HostIp: z.string().nullish(), HostPort: z.string().nullish() });

/** HostConfig of the Docker Engine API, likewise. */
export const hostConfigBody = z.looseObject({
  Memory: z.int().min(0).nullish(),
  PidsLimit: z.int().nullish(),
  Ulimits: z.array(z.object({ Name: z.string(), Soft: z.int(), Hard: z.int() })).nullish(),
  PortBindings: z.record(z.string(), z.array(portBinding).nullable()).nullish(),
  PublishAllPorts: z.boolean().nullish(),
  RestartPolicy: z.object({ Name: z.string().nullish(), MaximumRetryCount: z.int().nullish() }).nullish(),
  AutoRemove: z.boolean().nullish(),
  GroupAdd: texts,
  ReadonlyRootfs: z.boolean().nullish(),
  SecurityOpt: texts,
  ShmSize: z.int().min(0).nullish(),
});
export type HostConfigBody = z.infer<typeof hostConfigBody>;

/** POST /containers/create. */
export const createBody = configBody.extend({
  HostConfig: hostConfigBody.nullish(),
  NetworkingConfig: z.looseObject({ EndpointsConfig: z.record(z.string(), z.unknown()).nullish() }).nullish(),
});
export type CreateBody = z.infer<typeof createBody>;
