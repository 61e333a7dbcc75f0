import { z } from 'zod';

/** What caused an event: a token's request, a host's report, or a rule of the control plane. */
export const eventCause = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('token'), tokenId: z.string(), name: z.string() }),
  z.object({ kind: z.literal('host'), hostId: z.string(), name: z.string() }),
  z.object({ kind: z.literal('system'), rule: z.string() }),
]);
export type EventCause = z.infer<typeof eventCause>;

/** One append-only record. `id` counts up, and is the cursor. `kind` is `<object>.<past participle>`. */
export const eventView = z.object({
  id: z.int(),
  atMs: z.int(),
  kind: z.string(),
  /** Names of what it is about: stack, service, task, host, token. */
  subject: z.record(z.string(), z.string()),
  message: z.string(),
  cause: eventCause,
});
export type EventView = z.infer<typeof eventView>;

/**
 * GET /v1/events?after=&limit=&waitMs=&stack= : events with an id over `after`, oldest first; without `after`, the
 * newest `limit`. With `waitMs` (at most 30,000) the answer waits so long for a first one.
 */
export const eventList = z.object({ events: z.array(eventView), cursor: z.int() });
