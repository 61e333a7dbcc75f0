import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyIncrement, assignmentDigest, diffAssignment, type Assignment } from './assignment.ts';
import type { AssignedTask } from './task.ts';

const task = fc.record({
  id: fc.integer({ min: 0, max: 30 }).map((n) => `t${n}`),
  stack: fc.constant('s'),
  service: fc.constant('web'),
  serviceId: fc.constant('v'),
  slot: fc.integer({ min: 1, max: 9 }),
  epoch: fc.integer({ min: 1, max: 3 }),
  container: fc.constant({
    image: 'hello:1',
    environment: {},
    labels: {},
    ports: [],
    restart: { kind: 'always' as const },
  }),
  onDisconnect: fc.constant({ kind: 'keep' as const }),
}) satisfies fc.Arbitrary<AssignedTask>;
const assignments: fc.Arbitrary<Assignment> = fc
  .uniqueArray(task, { selector: (one) => one.id })
  .map((tasks) => ({ tasks }));

test('an increment leads from one assignment to the other, whatever they are', async () => {
  await fc.assert(
    fc.asyncProperty(assignments, assignments, async (from, to) => {
      const increment = await diffAssignment(from, to);
      expect(increment.base).toBe(await assignmentDigest(from));
      expect(await assignmentDigest(applyIncrement(from, increment))).toBe(await assignmentDigest(to));
    }),
  );
});
