import { expect, test } from 'vitest';
import { plainConfig, plainRecord } from '../../test/support/plain-container.ts';
import { publishedEndpoints } from './endpoints.ts';
import type { StoredContainer } from './state.ts';

const config = plainConfig({
  ports: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }],
  publishGroup: 'group',
});
const running = plainRecord({
  id: 'a',
  config,
  address: '10.0.0.2',
  published: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }],
});

test('a running container is reachable when it has no health check or is healthy', () => {
  const endpoint = { containerId: 'a', address: '10.0.0.2', publishGroup: 'group', ports: config.ports };
  expect(publishedEndpoints([running])).toEqual([endpoint]);
  expect(publishedEndpoints([{ ...running, health: 'healthy' }])).toEqual([endpoint]);
});

test.each<[string, Partial<StoredContainer>]>([
  ['starting health', { health: 'starting' }],
  ['bad health', { health: 'unhealthy' }],
  ['an end', { state: 'exited' }],
  ['a pause before a restart', { state: 'restarting' }],
  ['a stop under way', { desired: 'stopped' }],
  ['no address', { address: undefined }],
  ['no ports', { published: [] }],
])('%s keeps it unpublished', (_, change) => {
  expect(publishedEndpoints([{ ...running, ...change }])).toEqual([]);
});
