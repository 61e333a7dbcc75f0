import type { EventMessage } from './event-message.ts';
import { knownFilters, passes, passesLabels, type Filters } from './filters.ts';

const names = [
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

/**
 * The filters of GET /events. Those that it does not know are passed over, as dockerd does here and nowhere else.
 *
 * @throws BerthError `docker.filters-invalid`
 */
export function eventFilters(text: string | undefined): Filters {
  return knownFilters(text, names);
}

/** True for an event that GET /events with these filters tells. */
export function eventPasses(event: EventMessage, filters: Filters): boolean {
  const { ID: id, Attributes: attributes } = event.Actor;
  const isNamed = (value: string): boolean =>
    value === id || value === attributes['name'] || (value.length > 2 && id.startsWith(value));
  const image = attributes['image'] ?? attributes['name'] ?? id;
  const isImage = (value: string): boolean =>
    value === id || value === image || (!value.includes(':') && image.startsWith(`${value}:`));
  return (
    passes(filters, 'type', (value) => value === event.Type) &&
    passes(filters, 'event', (value) => value === event.Action || event.Action.startsWith(`${value}:`)) &&
    passes(filters, 'scope', (value) => value === 'local') &&
    passes(filters, 'container', (value) => event.Type === 'container' && isNamed(value)) &&
    passes(filters, 'network', (value) => event.Type === 'network' && isNamed(value)) &&
    passes(filters, 'daemon', (value) => event.Type === 'daemon' && isNamed(value)) &&
    passes(filters, 'image', isImage) &&
    passes(filters, 'volume', (value) => event.Type === 'volume' && isNamed(value)) &&
    ['plugin', 'node', 'service', 'secret', 'config'].every((name) => passes(filters, name, () => false)) &&
    passesLabels(filters, attributes)
  );
}
