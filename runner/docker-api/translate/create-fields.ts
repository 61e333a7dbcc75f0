import type { FieldEffects } from './create/field-effect.ts';
import { isolationHostFields } from './create/isolation-fields.ts';
import { logHostFields } from './create/log-fields.ts';
import { mountConfigFields, mountHostFields } from './create/mount-fields.ts';
import { networkConfigFields, networkHostFields } from './create/network-fields.ts';
import { processConfigFields, processHostFields } from './create/process-fields.ts';
import { resourceHostFields } from './create/resource-fields.ts';

/** What becomes of each field of Config. */
export const configFields: FieldEffects = { ...processConfigFields, ...networkConfigFields, ...mountConfigFields };

/** What becomes of each field of HostConfig. */
export const hostConfigFields: FieldEffects = {
  ...processHostFields,
  ...isolationHostFields,
  ...resourceHostFields,
  ...mountHostFields,
  ...networkHostFields,
  ...logHostFields,
};
