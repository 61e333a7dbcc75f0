import { createRoute, z } from '@hono/zod-openapi';
import { hostList, hostView, imageList, type HostView } from '#shared/api/hosts.ts';
import { BerthError } from '#shared/errors.ts';
import { objectName } from '#shared/model/names.ts';
import { commit, type Db } from '../store/commit.ts';
import { appendEvents } from '../store/events.ts';
import { hostByName, listHosts, liveTaskCounts, updateHost, type HostRow } from '../store/hosts.ts';
import { requireScope } from './bearer.ts';
import { tokenCause, type Api, type ApiContext } from './context.ts';
import { imagesOfHosts } from './images.ts';
import { revokeHost } from './poke.ts';
import { answers, noContent } from './responses.ts';

const params = z.object({ name: objectName });

function view(row: HostRow, tasks: number): HostView {
  const { id, name, state, facts, images, joinedAtMs, changedAtMs, generation, appliedGeneration } = row;
  return { id, name, state, facts, images: [...images], tasks, joinedAtMs, changedAtMs, generation, appliedGeneration };
}

/** @throws BerthError `host.unknown` */
export async function requireHost(db: Db, name: string): Promise<HostRow> {
  const host = await hostByName(db, name);
  if (host !== undefined) return host;
  throw new BerthError('not-found', 'host.unknown', `there is no host ${name}`, {
    remedy: 'berth host ls lists them.',
  });
}

function addReads(app: Api, api: ApiContext): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/hosts',
    summary: 'All hosts.',
    middleware: requireScope(api, 'see'),
    responses: answers(hostList, 'The hosts, by name'),
  });
  app.openapi(list, async (context) => {
    const [hosts, counts] = await Promise.all([listHosts(api.db), liveTaskCounts(api.db)]);
    return context.json({ hosts: hosts.map((host) => view(host, counts.get(host.id) ?? 0)) }, 200);
  });
  const get = createRoute({
    method: 'get',
    path: '/v1/hosts/{name}',
    summary: 'One host.',
    middleware: requireScope(api, 'see'),
    request: { params },
    responses: answers(hostView, 'The host', [404]),
  });
  app.openapi(get, async (context) => {
    const host = await requireHost(api.db, context.req.valid('param').name);
    return context.json(view(host, (await liveTaskCounts(api.db)).get(host.id) ?? 0), 200);
  });
  const images = createRoute({
    method: 'get',
    path: '/v1/images',
    summary: 'The images that the hosts hold.',
    middleware: requireScope(api, 'see'),
    responses: answers(imageList, 'The images, by their first reference'),
  });
  app.openapi(images, async (context) => context.json({ images: imagesOfHosts(await listHosts(api.db)) }, 200));
}

function addDelete(app: Api, api: ApiContext): void {
  const route = createRoute({
    method: 'delete',
    path: '/v1/hosts/{name}',
    summary: 'Remove a host: its key is refused from now on, its tasks are replaced elsewhere, its name is free.',
    middleware: requireScope(api, 'administer'),
    request: { params },
    responses: noContent('It is removed', [404]),
  });
  app.openapi(route, async (context) => {
    const { name } = context.req.valid('param');
    const cause = tokenCause(context.get('token'));
    const nowMs = api.clock();
    const id = await commit(api.database, async (db) => {
      const host = await requireHost(db, name);
      const event = { kind: 'host.removed', subject: { host: name }, message: `host ${name} was removed`, cause };
      const removed = updateHost(db, host.id, { state: 'down', changedAtMs: nowMs, removedAtMs: nowMs });
      return { statements: [removed, ...appendEvents(db, nowMs, [event])], result: host.id };
    });
    await revokeHost(api.hub, id);
    return context.body(null, 204);
  });
}

export function addHosts(app: Api, api: ApiContext): void {
  addReads(app, api);
  addDelete(app, api);
}
