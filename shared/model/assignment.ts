import { z } from 'zod';
import { canonicalJson } from '../canonical-json.ts';
import { sha256, digest, type Digest } from '../digest.ts';
import { assignedTask } from './task.ts';

/** The complete set of what one host should have. An empty one is explicit: `{ tasks: [] }`. */
export const assignment = z.object({
  tasks: z.array(assignedTask),
});
export type Assignment = z.infer<typeof assignment>;

/** Which assignment: `generation` counts a host's changes up from 1, `digest` is over the canonical JSON of its content. */
export const assignmentVersion = z.object({ generation: z.int().min(0), digest });
export type AssignmentVersion = z.infer<typeof assignmentVersion>;

/** The change from one assignment to the next of a host. */
export const assignmentIncrement = z.object({
  base: digest,
  upserts: z.array(assignedTask),
  removals: z.array(z.string()),
});
export type AssignmentIncrement = z.infer<typeof assignmentIncrement>;

function sorted(value: Assignment): Assignment {
  return { tasks: value.tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
}

/** The digest of an assignment, independent of the order of its tasks. */
export function assignmentDigest(value: Assignment): Promise<Digest> {
  return sha256(canonicalJson(sorted(value)));
}

/** The increment that turns `from` into `to`, chained to the digest of `from`. */
export async function diffAssignment(from: Assignment, to: Assignment): Promise<AssignmentIncrement> {
  const before = new Map(from.tasks.map((task) => [task.id, canonicalJson(task)]));
  const wanted = new Set(to.tasks.map((task) => task.id));
  return {
    base: await assignmentDigest(from),
    upserts: to.tasks.filter((task) => before.get(task.id) !== canonicalJson(task)),
    removals: from.tasks.filter((task) => !wanted.has(task.id)).map((task) => task.id),
  };
}

/** An assignment with an increment applied; the caller checks that the increment's base is this assignment's digest. */
export function applyIncrement(from: Assignment, increment: AssignmentIncrement): Assignment {
  const gone = new Set([...increment.removals, ...increment.upserts.map((task) => task.id)]);
  return sorted({ tasks: [...from.tasks.filter((task) => !gone.has(task.id)), ...increment.upserts] });
}
