import type { EventMessage } from './event-message.ts';
import { passes, passesLabels, type Filters } from './filters.ts';

export const eventFilterNames = [
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'plugin',
  'scope',
  'type',
  'volume',
  'node',
  'service',
  'secret',
  'config',
];

/** True for an event that GET /events with these filters tells. */
export function eventPasses(event: EventMessage, filters: Filters): boolean {
  const { ID: id, Attributes: attributes } = event.Actor;
  const names = (value: string): boolean =>
    value === id || value === attributes['name'] || (value.length > 2 && id.startsWith(value));
  const image = attributes['image'] ?? attributes['name'] ?? id;
  const isImage = (value: string): boolean =>
    value === id || value === image || (!value.includes(':') && image.startsWith(`${value}:`));
  return (
    passes(filters, 'type', (value) => value === event.Type) &&
    passes(filters, 'event', (value) => value === event.Action || event.Action.startsWith(`${value}:`)) &&
    passes(filters, 'scope', (value) => value === 'local') &&
    passes(filters, 'container', (value) => event.Type === 'container' && names(value)) &&
    passes(filters, 'network', (value) => event.Type === 'network' && names(value)) &&
    passes(filters, 'daemon', (value) => event.Type === 'daemon' && names(value)) &&
    passes(filters, 'image', isImage) &&
    passes(filters, 'volume', (value) => event.Type === 'volume' && names(value)) &&
    ['plugin', 'node', 'service', 'secret', 'config'].every((name) => passes(filters, name, () => false)) &&
    passesLabels(filters, attributes)
  );
}
