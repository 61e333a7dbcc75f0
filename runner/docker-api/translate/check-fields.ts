import { BerthError } from '#shared/errors.ts';
import type { FieldEffect } from './create/field-effect.ts';
import { configFields, hostConfigFields } from './create-fields.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Refuses what this version cannot do, by the table of fields. Fields that no version of the API has are passed over, as
 * dockerd does.
 *
 * @throws BerthError `docker.field-unsupported` naming field and value
 */
export function checkFields(config: Fields, hostConfig: Fields): void {
  checkAll('', config, configFields);
  checkAll('HostConfig.', hostConfig, hostConfigFields);
}

function checkAll(prefix: string, values: Fields, effects: Readonly<Record<string, FieldEffect>>): void {
  for (const [name, effect] of Object.entries(effects)) {
    const value = values[name];
    if (effect.kind !== 'refused' || isEmpty(value) || isAllowed(value, effect.allows ?? [])) continue;
    const shown = JSON.stringify(value).slice(0, 120);
    throw new BerthError(
      'unsupported',
      'docker.field-unsupported',
      `${prefix}${name}: ${shown} is not supported: ${effect.why}`,
    );
  }
}

/** What Go's zero values and absent fields are in JSON. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** An object is allowed when those of its fields that are not empty are. */
function isAllowed(value: unknown, allows: readonly unknown[]): boolean {
  return allows.some((allowed) => {
    if (typeof allowed !== 'object' || allowed === null || typeof value !== 'object' || value === null) {
      return value === allowed;
    }
    const fields = allowed as Fields;
    return Object.entries(value).every(([name, one]) => isEmpty(one) || one === fields[name]);
  });
}
