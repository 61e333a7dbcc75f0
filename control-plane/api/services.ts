import { createRoute, z } from '@hono/zod-openapi';
import { serviceList } from '#shared/api/stacks.ts';
import { objectName } from '#shared/model/names.ts';
import { listServices } from '../store/services.ts';
import { requireScope } from './bearer.ts';
import type { Api, ApiContext } from './context.ts';
import { answers } from './responses.ts';
import { readRunning } from './running.ts';

export function addServices(app: Api, api: ApiContext): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/services',
    summary: 'Services, of one stack or of all.',
    middleware: requireScope(api, 'see'),
    request: { query: z.object({ stack: objectName.optional() }) },
    responses: answers(serviceList, 'The services, by stack and name'),
  });
  app.openapi(list, async (context) => {
    const { stack } = context.req.valid('query');
    const [services, { byService }] = await Promise.all([listServices(api.db, stack), readRunning(api.db, stack)]);
    const views = services.map((service) => ({ ...service, runningReplicas: byService.get(service.id) ?? 0 }));
    return context.json({ services: views }, 200);
  });
}
