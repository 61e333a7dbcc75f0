import { createRoute, z } from '@hono/zod-openapi';
import { taskList, type TaskView } from '#shared/api/stacks.ts';
import { objectName } from '#shared/model/names.ts';
import { hostsById } from '../store/hosts.ts';
import { listServices, listSlots } from '../store/services.ts';
import { listTasks, type TaskRow } from '../store/tasks.ts';
import { requireScope } from './bearer.ts';
import type { Api, ApiContext } from './context.ts';
import { requireHost } from './hosts.ts';
import { answers } from './responses.ts';

const query = z.object({
  stack: objectName.optional(),
  service: objectName.optional(),
  host: objectName.optional(),
  all: z.stringbool().optional(),
});

function view(row: TaskRow, hostName: string): TaskView {
  const { id, stack, service, slot, hostId, state, health, desired, container, restarts, message, createdAtMs } = row;
  const { containerId, address, exitCode, observedAtMs } = row;
  return {
    id,
    stack,
    service,
    slot,
    host: { id: hostId, name: hostName },
    state,
    health,
    desired,
    image: container.image,
    restarts,
    message,
    createdAtMs,
    ...(containerId === null ? {} : { containerId }),
    ...(address === null ? {} : { address }),
    ...(exitCode === null ? {} : { exitCode }),
    ...(observedAtMs === null ? {} : { observedAtMs }),
  };
}

/** Slots that wait for a host, by stack and service; none when the tasks of one host were asked for. */
async function pendingSlots(api: ApiContext, wanted: z.infer<typeof query>) {
  if (wanted.host !== undefined) return [];
  const [services, slots] = await Promise.all([listServices(api.db, wanted.stack), listSlots(api.db)]);
  const byId = new Map(services.map((service) => [service.id, service]));
  return slots.flatMap(({ serviceId, slot, pendingReason }) => {
    const service = byId.get(serviceId);
    if (service === undefined || pendingReason === null) return [];
    if (wanted.service !== undefined && service.spec.name !== wanted.service) return [];
    return [{ stack: service.stack, service: service.spec.name, slot, reason: pendingReason }];
  });
}

export function addTasks(app: Api, api: ApiContext): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/tasks',
    summary:
      'Tasks that are desired or have not ended, with `all` also older ones; and the slots that wait for a host.',
    middleware: requireScope(api, 'see'),
    request: { query },
    responses: answers(taskList, 'The tasks, by stack, service and slot', [404]),
  });
  app.openapi(list, async (context) => {
    const wanted = context.req.valid('query');
    const host = wanted.host === undefined ? undefined : await requireHost(api.db, wanted.host);
    const { stack, service, all } = wanted;
    const rows = await listTasks(api.db, { stack, service, hostId: host?.id, all });
    const hosts = await hostsById(api.db, [...new Set(rows.map((row) => row.hostId))]);
    const names = new Map(hosts.map((one) => [one.id, one.name]));
    const tasks = rows.map((row) => view(row, names.get(row.hostId) ?? row.hostId));
    return context.json({ tasks, pending: await pendingSlots(api, wanted) }, 200);
  });
}
