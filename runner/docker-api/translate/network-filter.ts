import { BerthError } from '#shared/errors.ts';
import { isPredefined, type NetworkRecord } from '../../network/network-record.ts';
import { booleanFilter, passes, passesLabels, type Filters } from './filters.ts';
import { driverOf } from './network-document.ts';

export const networkFilterNames = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/**
 * True for a network that GET /networks with these filters tells.
 *
 * @param isUsed a running container is on it
 * @throws BerthError `docker.filter-invalid`
 */
export function networkPasses(network: NetworkRecord, filters: Filters, isUsed: boolean): boolean {
  const dangling = booleanFilter(filters, 'dangling');
  const isOwn = isPredefined(network.name);
  for (const type of filters.get('type') ?? []) {
    if (type === 'custom' || type === 'builtin') continue;
    throw new BerthError('invalid', 'docker.filter-invalid', `invalid filter: 'type'='${type.slice(0, 40)}'`);
  }
  return (
    passes(filters, 'name', (value) => network.name.includes(value)) &&
    passes(filters, 'id', (value) => network.id.startsWith(value)) &&
    passes(filters, 'driver', (value) => value === driverOf(network)) &&
    passes(filters, 'scope', (value) => value === 'local') &&
    passes(filters, 'type', (value) => value === (isOwn ? 'builtin' : 'custom')) &&
    (dangling === undefined || dangling === (!isOwn && !isUsed)) &&
    passesLabels(filters, network.kind === 'bridge' ? network.labels : {})
  );
}
