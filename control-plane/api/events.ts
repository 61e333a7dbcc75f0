import { createRoute, z } from '@hono/zod-openapi';
import { eventList } from '#shared/api/events.ts';
import { objectName } from '#shared/model/names.ts';
import { listEvents, newestEventId, type EventRow } from '../store/events.ts';
import { requireScope } from './bearer.ts';
import type { Api, ApiContext } from './context.ts';
import { answers } from './responses.ts';

const MAX_WAIT_MS = 30_000;
const MAX_LIMIT = 1000;

/** A parameter that is a whole number, written in decimal digits. */
function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return z
    .string()
    .regex(/^\d{1,16}$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.int().min(minimum).max(maximum))
    .openapi({ type: 'integer', minimum, maximum });
}

const query = z.object({
  after: wholeNumber(0).optional(),
  limit: wholeNumber(1, MAX_LIMIT).default(100),
  waitMs: wholeNumber(0, MAX_WAIT_MS).default(0),
  stack: objectName.optional(),
});

/**
 * Reads, and when there is nothing yet waits for news and reads again until the time is over: news may be another
 * stack's. Without `after` there is nothing to wait for: the newest are answered at once.
 */
async function readEvents(
  api: ApiContext,
  wanted: z.infer<typeof query>,
  signal: AbortSignal,
): Promise<{ rows: EventRow[]; cursor: number }> {
  const { after, stack, limit } = wanted;
  const untilMs = api.clock() + wanted.waitMs;
  for (;;) {
    const newest = await newestEventId(api.db); // before the read: what comes in between is read the next time
    const rows = await listEvents(api.db, { after, stack, limit });
    const leftMs = untilMs - api.clock();
    const last = rows.at(-1)?.id;
    if (last !== undefined || after === undefined || leftMs <= 0 || signal.aborted) {
      return { rows, cursor: last ?? Math.max(after ?? 0, newest) };
    }
    await api.hub.waitForEvents(Math.max(after, newest), leftMs, signal);
  }
}

export function addEvents(app: Api, api: ApiContext): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/events',
    summary:
      'Events over the cursor `after`, oldest first; without it the newest. With `waitMs` it waits for a first one.',
    middleware: requireScope(api, 'see'),
    request: { query },
    responses: answers(eventList, 'The events, and the cursor to go on from'),
  });
  app.openapi(list, async (context) => {
    const { rows, cursor } = await readEvents(api, context.req.valid('query'), context.req.raw.signal);
    const events = rows.map(({ id, atMs, kind, subject, message, cause }) => ({
      id,
      atMs,
      kind,
      message,
      cause,
      subject: { ...subject },
    }));
    return context.json({ events, cursor }, 200);
  });
}
