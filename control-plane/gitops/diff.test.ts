import { expect, test } from 'vitest';
import type { ServiceSpec } from '#shared/model/service.ts';
import { diffServices } from './diff.ts';

const spec = (name: string, replicas: number, image = 'hello:1'): ServiceSpec => ({
  name,
  replicas,
  container: { image, environment: {}, labels: {}, ports: [], restart: { kind: 'always' } },
  onDisconnect: { kind: 'keep' },
});
const stored = (one: ServiceSpec) => ({ id: `id of ${one.name}`, stack: 'shop', spec: one });

test('services are created, updated, scaled, removed or left alone', () => {
  const before = [spec('a', 1), spec('b', 1), spec('c', 1), spec('d', 1)].map(stored);
  const services = [spec('a', 1), spec('b', 2), spec('c', 2, 'hello:2'), spec('e', 1)];
  const diff = diffServices(before, { name: 'shop', services });
  expect(diff.changes).toEqual([
    { service: 'a', change: 'unchanged' },
    { service: 'b', change: 'scaled' },
    { service: 'c', change: 'updated' },
    { service: 'd', change: 'removed' },
    { service: 'e', change: 'created' },
  ]);
  expect(diff.updated.map((service) => service.id)).toEqual(['id of b', 'id of c']);
  expect(diff.removed.map((service) => service.id)).toEqual(['id of d']);
});
