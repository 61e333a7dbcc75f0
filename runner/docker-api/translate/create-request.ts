import { z } from 'zod';
import { endpointSettingsBody } from './create/endpoint-settings.ts';
import { isolationHostShape } from './create/isolation-fields.ts';
import { logHostShape } from './create/log-fields.ts';
import { mountConfigShape, mountHostShape } from './create/mount-fields.ts';
import { networkConfigShape, networkHostShape } from './create/network-fields.ts';
import { processConfigShape, processHostShape } from './create/process-fields.ts';
import { resourceHostShape } from './create/resource-fields.ts';

/** Config of the Docker Engine API: the fields that are heeded, the others as they are. */
export const configBody = z.looseObject({ ...processConfigShape, ...networkConfigShape, ...mountConfigShape });
export type ConfigBody = z.infer<typeof configBody>;

/** HostConfig of the Docker Engine API, likewise. */
export const hostConfigBody = z.looseObject({
  ...processHostShape,
  ...isolationHostShape,
  ...resourceHostShape,
  ...mountHostShape,
  ...networkHostShape,
  ...logHostShape,
});
export type HostConfigBody = z.infer<typeof hostConfigBody>;

/** POST /containers/create. */
export const createBody = configBody.extend({
  HostConfig: hostConfigBody.nullish(),
  NetworkingConfig: z
    .looseObject({ EndpointsConfig: z.record(z.string(), endpointSettingsBody.nullable()).nullish() })
    .nullish(),
});
export type CreateBody = z.infer<typeof createBody>;
