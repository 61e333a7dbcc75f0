import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_CONTROL_FRAME_BYTES } from '#shared/protocol/control.ts';
import type { HostRecord } from './cluster-state.ts';
import { canonicalImageName } from './image-name.ts';
import { Scheduler } from './schedule.ts';

const host = (name: string, references = ['docker.io/library/hello:1']): HostRecord => ({
  id: `id of ${name}`,
  name,
  state: 'ready',
  changedAtMs: 0,
  removed: false,
  images: [{ id: `sha256:${'1'.repeat(64)}`, references }],
});
const request = (serviceId: string, hostPort?: number) => ({
  serviceId,
  container: {
    image: 'hello:1',
    ports: hostPort === undefined ? [] : [{ protocol: 'tcp' as const, hostPort, containerPort: 80 }],
  },
});
const names = (placements: readonly { kind: string; hostName?: string; reason?: string }[]) =>
  placements.map((placement) => placement.hostName ?? placement.reason);

test('replicas spread, then the least loaded host, then the first by name', () => {
  const scheduler = new Scheduler([host('c'), host('a'), host('b')], []);
  expect(names([1, 2, 3, 4].map(() => scheduler.place(request('x'))))).toEqual(['a', 'b', 'c', 'a']);
  expect(names([1, 2].map(() => scheduler.place(request('y'))))).toEqual(['b', 'c']);
});

test('replicas of one service share its host port, another service does not', () => {
  const scheduler = new Scheduler([host('a'), host('b', [])], []);
  expect(names([scheduler.place(request('x', 80)), scheduler.place(request('x', 80))])).toEqual(['a', 'a']);
  expect(names([scheduler.place(request('y', 80))])).toEqual([
    'host port 80/tcp is held by another service on every ready host with the image (a)',
  ]);
  expect(names([scheduler.place(request('y', 81))])).toEqual(['a']);
});

test('a host takes no more than its assignment can carry in one frame', () => {
  const scheduler = new Scheduler([host('a')], []);
  const { container } = request('x');
  const large = { serviceId: 'x', container: { ...container, environment: { A: '\u20ac'.repeat(100_000) } } };
  const placements = Array.from({ length: 100 }, () => scheduler.place(large));
  const placed = placements.filter(({ kind }) => kind === 'placed').length;
  const bytes = new TextEncoder().encode(JSON.stringify(large.container)).byteLength;
  expect(placed * bytes).toBeGreaterThan(MAX_CONTROL_FRAME_BYTES / 2);
  expect(placed * bytes).toBeLessThan(MAX_CONTROL_FRAME_BYTES);
  expect(names(placements).at(-1)).toMatch(/^the assignment of every ready host with the image \(a\) has no room/);
});

test('no host has more than one replica more than another that qualifies', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(40), (count, replicas) => {
      const scheduler = new Scheduler(
        Array.from({ length: count }, (_, n) => host(`h${n}`)),
        [],
      );
      const placed = Array.from({ length: replicas }, () => scheduler.place(request('x')));
      const perHost = Map.groupBy(names(placed), (name) => name);
      const numbers = Array.from({ length: count }, (_, n) => perHost.get(`h${n}`)?.length ?? 0);
      expect(Math.max(...numbers) - Math.min(...numbers)).toBeLessThanOrEqual(1);
    }),
  );
});

test.each([
  ['hello', 'docker.io/library/hello:latest'],
  ['hello:1', 'docker.io/library/hello:1'],
  ['me/hello', 'docker.io/me/hello:latest'],
  ['docker.io/hello', 'docker.io/library/hello:latest'],
  ['index.docker.io/hello:1', 'docker.io/library/hello:1'],
  ['localhost/hello', 'localhost/hello:latest'],
  ['registry.test:5000/a/b', 'registry.test:5000/a/b:latest'],
  ['registry.test:5000/a/b:2', 'registry.test:5000/a/b:2'],
  [`hello@sha256:${'0'.repeat(64)}`, `docker.io/library/hello@sha256:${'0'.repeat(64)}`],
  [`sha256:${'0'.repeat(64)}`, `sha256:${'0'.repeat(64)}`],
])('image name %s is %s', (name, canonical) => {
  expect(canonicalImageName(name)).toBe(canonical);
});
