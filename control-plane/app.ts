import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { MAX_COMPOSE_CHARACTERS } from '#shared/api/stacks.ts';
import { BerthError } from '#shared/errors.ts';
import { BERTH_VERSION } from '#shared/version.ts';
import { addBootstrap } from './api/bootstrap.ts';
import type { Api, ApiContext, Environment } from './api/context.ts';
import { addEvents } from './api/events.ts';
import { addHealth } from './api/health.ts';
import { addHosts } from './api/hosts.ts';
import { addHostJoin } from './api/join.ts';
import { errorHandler, rejectInvalid, unknownRoute } from './api/problem.ts';
import { addRelays } from './api/relays.ts';
import { addServices } from './api/services.ts';
import { addStacks } from './api/stacks.ts';
import { addTasks } from './api/tasks.ts';
import { addTokens } from './api/tokens.ts';
import type { Ports } from './ports.ts';
import { openDb } from './store/commit.ts';

/** Longest body, in bytes, of any request but an apply. */
export const MAX_BODY_BYTES = 256 * 1024;

/** Longest body of an apply, in bytes: its Compose file in JSON, where a character may take more than one byte. */
const MAX_APPLY_BYTES = 2 * MAX_COMPOSE_CHARACTERS;

function limitBody(maxSize: number) {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new BerthError(
        'too-large',
        'request.too-large',
        `the request's body is over the limit of ${maxSize} bytes`,
      );
    },
  });
}

/** What the OpenAPI document says of the whole. */
export const openApiInfo = {
  openapi: '3.1.0',
  info: { title: 'Berth control plane', version: BERTH_VERSION, license: { name: 'Apache-2.0' } },
  security: [{ bearer: [] }],
};

/**
 * The control plane's HTTP API. Web-standard only: it runs unchanged on Node and on Workers. The database must have been
 * migrated. `log` is told of errors that are our fault.
 */
export function createApp(ports: Ports, log: (error: unknown) => void = console.error): Api {
  const app = new OpenAPIHono<Environment>({ defaultHook: rejectInvalid });
  const api: ApiContext = { ...ports, db: openDb(ports.database.read) };
  app.onError(errorHandler(log));
  app.notFound(unknownRoute(() => app.routes));
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  const small = limitBody(MAX_BODY_BYTES);
  const large = limitBody(MAX_APPLY_BYTES);
  app.use('*', (context, next) => (context.req.method === 'PUT' ? large : small)(context, next));
  addHealth(app, api);
  addBootstrap(app, api);
  addTokens(app, api);
  addHostJoin(app, api);
  addHosts(app, api);
  addStacks(app, api);
  addServices(app, api);
  addTasks(app, api);
  addEvents(app, api);
  addRelays(app, api);
  app.doc31('/openapi.json', openApiInfo);
  return app;
}
