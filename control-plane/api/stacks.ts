import { createRoute, z } from '@hono/zod-openapi';
import { applyRequest, applyResponse, scaleRequest, stackDetail, stackList } from '#shared/api/stacks.ts';
import { BerthError } from '#shared/errors.ts';
import { objectName } from '#shared/model/names.ts';
import { applyStack, deleteStack, scaleService } from '../gitops/apply.ts';
import { parseCompose } from '../gitops/compose/parse.ts';
import { currentRevisions, type RevisionRow } from '../store/stacks.ts';
import { requireScope } from './bearer.ts';
import { tokenCause, type Api, type ApiContext } from './context.ts';
import { pokeHub } from './poke.ts';
import { answers, body, noContent } from './responses.ts';
import { readRunning, type Running } from './running.ts';

const params = z.object({ name: objectName });

function view(revision: RevisionRow, running: Running) {
  const { stack: name, number, digest, message, appliedAtMs, appliedBy, config } = revision;
  return {
    name,
    revision: number,
    digest,
    message,
    appliedAtMs,
    appliedBy,
    services: config.services.length,
    runningReplicas: running.byStack.get(name) ?? 0,
    desiredReplicas: config.services.reduce((sum, service) => sum + service.replicas, 0),
  };
}

function addReads(app: Api, api: ApiContext): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/stacks',
    summary:
      'All stacks at their current revisions. A removed one is gone at once; its tasks are listed until they stopped.',
    middleware: requireScope(api, 'see'),
    responses: answers(stackList, 'The stacks, by name'),
  });
  app.openapi(list, async (context) => {
    const [revisions, running] = await Promise.all([currentRevisions(api.db), readRunning(api.db)]);
    return context.json({ stacks: revisions.map((revision) => view(revision, running)) }, 200);
  });
  const get = createRoute({
    method: 'get',
    path: '/v1/stacks/{name}',
    summary: 'One stack with its configuration.',
    middleware: requireScope(api, 'see'),
    request: { params },
    responses: answers(stackDetail, 'The stack', [404]),
  });
  app.openapi(get, async (context) => {
    const { name } = context.req.valid('param');
    const [revision] = await currentRevisions(api.db, name);
    if (revision === undefined) {
      throw new BerthError('not-found', 'stack.unknown', `there is no stack ${name}`, {
        remedy: 'berth ls lists them.',
      });
    }
    return context.json({ ...view(revision, await readRunning(api.db, name)), config: revision.config }, 200);
  });
}

function addApply(app: Api, api: ApiContext): void {
  const put = createRoute({
    method: 'put',
    path: '/v1/stacks/{name}',
    summary: 'Apply a Compose file: it becomes a new revision, unless it equals the current one.',
    middleware: requireScope(api, 'deploy'),
    request: { params, body: body(applyRequest) },
    responses: answers(applyResponse, 'What changed', [409]),
  });
  app.openapi(put, async (context) => {
    const { compose, message, expectedRevision, overrideName } = context.req.valid('json');
    const config = parseCompose(compose, context.req.valid('param').name, { overrideName });
    const by = { ...api, cause: tokenCause(context.get('token')) };
    const applied = await applyStack(by, config, { message, expectedRevision });
    await pokeHub(api.hub);
    return context.json(applied, 200);
  });
  const scale = createRoute({
    method: 'post',
    path: '/v1/stacks/{name}/services/{service}/scale',
    summary: "Change the number of a service's replicas, as a new revision.",
    middleware: requireScope(api, 'deploy'),
    request: { params: params.extend({ service: objectName }), body: body(scaleRequest) },
    responses: answers(applyResponse, 'What changed', [404, 409]),
  });
  app.openapi(scale, async (context) => {
    const { name, service } = context.req.valid('param');
    const by = { ...api, cause: tokenCause(context.get('token')) };
    const applied = await scaleService(by, name, service, context.req.valid('json').replicas);
    await pokeHub(api.hub);
    return context.json(applied, 200);
  });
}

function addDelete(app: Api, api: ApiContext): void {
  const route = createRoute({
    method: 'delete',
    path: '/v1/stacks/{name}',
    summary: 'Remove a stack and everything that runs for it.',
    middleware: requireScope(api, 'deploy'),
    request: { params },
    responses: noContent('It is no longer wanted; GET /v1/tasks tells what has yet to stop', [404]),
  });
  app.openapi(route, async (context) => {
    const { name } = context.req.valid('param');
    await deleteStack({ ...api, cause: tokenCause(context.get('token')) }, name);
    await pokeHub(api.hub);
    return context.body(null, 204);
  });
}

export function addStacks(app: Api, api: ApiContext): void {
  addReads(app, api);
  addApply(app, api);
  addDelete(app, api);
}
