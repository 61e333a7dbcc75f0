import { createRoute, type z } from '@hono/zod-openapi';
import { createdRelay, createRelayRequest } from '#shared/api/relays.ts';
import { BerthError } from '#shared/errors.ts';
import type { RelayGrant } from '#shared/relay/header.ts';
import { mayDo, scopeFor } from '../core/authorize.ts';
import { commit } from '../store/commit.ts';
import { appendEvents } from '../store/events.ts';
import { hostById } from '../store/hosts.ts';
import { taskById } from '../store/tasks.ts';
import type { TokenRow } from '../store/tokens.ts';
import { requireScope } from './bearer.ts';
import { tokenCause, type Api, type ApiContext } from './context.ts';
import { requireHost } from './hosts.ts';
import { body, created } from './responses.ts';

interface RelayTarget {
  readonly hostId: string;
  readonly grant: RelayGrant;
  readonly subject: Readonly<Record<string, string>>;
}

/** @throws BerthError `task.unknown`, `host.unknown` */
async function resolveTarget(api: ApiContext, request: z.infer<typeof createRelayRequest>): Promise<RelayTarget> {
  if (request.type === 'image-load') {
    const host = await requireHost(api.db, request.host);
    return { hostId: host.id, grant: { type: request.type }, subject: { host: host.name } };
  }
  const task = await taskById(api.db, request.taskId);
  const host = task && (await hostById(api.db, task.hostId));
  if (task === undefined || host === undefined) {
    throw new BerthError('not-found', 'task.unknown', `there is no task ${request.taskId}`, {
      remedy: 'berth ps lists them.',
    });
  }
  const { stack, service, id } = task;
  return {
    hostId: host.id,
    grant: { type: request.type, taskId: id },
    subject: { stack, service, task: id, host: host.name },
  };
}

/** Reading logs is seeing; a process and an image change what runs. */
function requireRight(token: TokenRow, type: RelayGrant['type']): void {
  if (type === 'logs' || mayDo(token.scope, 'deploy')) return;
  const needed = scopeFor('deploy');
  throw new BerthError(
    'forbidden',
    'token.scope',
    `token ${token.name} has scope ${token.scope}; ${type} needs ${needed}`,
    {
      remedy: `Use a token of scope ${needed}.`,
    },
  );
}

export function addRelays(app: Api, api: ApiContext): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/relays',
    summary:
      'Open a relay to the host of a task, or to a named host. `logs` needs scope read, `exec` and `image-load` deploy.',
    middleware: requireScope(api, 'see'),
    request: { body: body(createRelayRequest) },
    responses: created(createdRelay, 'Where to dial by WebSocket within 30 s, with the token as bearer', [404]),
  });
  app.openapi(route, async (context) => {
    const request = context.req.valid('json');
    const token = context.get('token');
    requireRight(token, request.type);
    const { hostId, grant, subject } = await resolveTarget(api, request);
    const relay = await api.hub.openRelay(hostId, grant);
    if (grant.type !== 'logs') await audit(api, token, grant.type, subject);
    return context.json(relay, 201);
  });
}

/** Who entered a container or brought an image is on record. */
function audit(
  api: ApiContext,
  token: TokenRow,
  type: RelayGrant['type'],
  subject: Readonly<Record<string, string>>,
): Promise<void> {
  const message = `${type} was opened to host ${subject['host'] ?? ''}`;
  const event = { kind: 'relay.opened', subject, message, cause: tokenCause(token) };
  return commit(api.database, (db) =>
    Promise.resolve({ statements: appendEvents(db, api.clock(), [event]), result: undefined }),
  );
}
