import { API_VERSION, MIN_API_VERSION } from './api-version.ts';
import { operationStates } from './routes.ts';
import type { FieldEffect } from './translate/create/field-effect.ts';
import { configFields, hostConfigFields } from './translate/create-fields.ts';

/** The text of docs/docker-api.md. */
export function dockerApiReference(): string {
  return [
    '# Docker Engine API',
    '',
    '<!-- Written by `make docs` from what the code declares; do not edit. -->',
    '',
    `A runner answers the Docker Engine API on its socket, in the versions ${MIN_API_VERSION} to ${API_VERSION}:`,
    '`docker -H unix:///var/lib/berth/berth.sock ps`.',
    '',
    '## Operations',
    '',
    ...operationStates().map(([operation, state]) => `- \`${operation.replace(':path', '')}\`: ${state}`),
    '',
    '## Creating a container: Config',
    '',
    ...fieldList(configFields),
    '',
    '## Creating a container: HostConfig',
    '',
    ...fieldList(hostConfigFields),
    '',
    'A refused field is an error (501) that names field and value, unless its value is empty or one of those allowed.',
    'NetworkingConfig has one endpoint a network; where it has any, the container is on these alone, as with dockerd.',
    '',
  ].join('\n');
}

function fieldList(fields: Readonly<Record<string, FieldEffect>>): string[] {
  return Object.entries(fields).map(([name, effect]) => `- \`${name}\` ${effectText(effect)}`);
}

function effectText(effect: FieldEffect): string {
  switch (effect.kind) {
    case 'works':
      return `works: ${effect.where} (${effect.test})`;
    case 'no-effect':
      return `taken, without effect: ${effect.why}`;
    case 'refused': {
      const allowed = (effect.allows ?? []).map((value) => `\`${JSON.stringify(value)}\``).join(', ');
      return `refused${allowed === '' ? '' : ` but for ${allowed}`}: ${effect.why}`;
    }
    default:
      return effect satisfies never;
  }
}
