import { createRoute, z } from '@hono/zod-openapi';
import { BerthError } from '#shared/errors.ts';
import { BERTH_VERSION } from '#shared/version.ts';
import { newestEventId } from '../store/events.ts';
import type { Api, ApiContext } from './context.ts';
import { answers } from './responses.ts';

const getHealth = createRoute({
  method: 'get',
  path: '/healthz',
  summary: 'Whether the control plane answers and reaches its database. No token is needed.',
  security: [],
  responses: answers(z.object({ status: z.literal('ok'), version: z.string() }), 'It does', [500, 503], []),
});

export function addHealth(app: Api, api: ApiContext): void {
  app.openapi(getHealth, async (context) => {
    await newestEventId(api.db).catch((cause: unknown) => {
      throw new BerthError('unavailable', 'database.unavailable', 'the database does not answer', { cause });
    });
    return context.json({ status: 'ok' as const, version: BERTH_VERSION }, 200);
  });
}
