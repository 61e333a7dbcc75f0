import { isBerthError } from '#shared/errors.ts';
import { createApp } from './app.ts';
import type { WorkerEnvironment } from './session/durable-object.ts';
import { problemResponse } from './problem-response.ts';
import { RemoteHub } from './session/hub-request.ts';
import { isUpgrade, upgradeNeeded, upgradeRoute } from './session/upgrade-route.ts';
import { openRemote } from './store/remote.ts';

export { ClusterObject, RelayObject } from './session/durable-object.ts';

/** What one isolate keeps between requests. */
interface Isolate {
  readonly app: ReturnType<typeof createApp>;
  readonly hub: RemoteHub;
}

let isolate: Isolate | undefined;
/** Resolves once the cluster's object has migrated the database; tried again after a failure. */
let readiness: Promise<void> | undefined;

/**
 * The control plane on Workers: WebSockets go to the cluster's and the relays' Durable Objects, everything else is the
 * API, in whichever isolate the request came to.
 */
export default {
  async fetch(request: Request, env: WorkerEnvironment): Promise<Response> {
    try {
      const { pathname } = new URL(request.url);
      const route = upgradeRoute(pathname);
      if (route !== undefined) return await forward(request, env, route);
      const { app, hub } = (isolate ??= open(env));
      readiness ??= hub.ready().catch((error: unknown) => {
        readiness = undefined;
        throw error;
      });
      await readiness;
      return await app.fetch(request);
    } catch (error) {
      if (!isBerthError(error)) console.error(error);
      return problemResponse(error);
    }
  },
};

function open(env: WorkerEnvironment): Isolate {
  const cluster = clusterObject(env);
  const hub = new RemoteHub({
    fetch: async (url, init) => (await cluster().fetch(url, init as object)) as unknown as Response,
  });
  const database = openRemote({ url: env.LIBSQL_URL, authToken: env.LIBSQL_TOKEN });
  return { hub, app: createApp({ database, hub, clock: Date.now, bootstrapSecret: env.BOOTSTRAP_SECRET }) };
}

/** A stub breaks for good when its object is reset: each call takes a new one. */
function clusterObject(env: WorkerEnvironment): () => ReturnType<WorkerEnvironment['CLUSTER']['get']> {
  const id = env.CLUSTER.idFromName('cluster');
  return () => env.CLUSTER.get(id);
}

async function forward(
  request: Request,
  env: WorkerEnvironment,
  route: NonNullable<ReturnType<typeof upgradeRoute>>,
): Promise<Response> {
  if (!isUpgrade(request)) return upgradeNeeded(new URL(request.url).pathname);
  const object = route.kind === 'channel' ? clusterObject(env)() : env.RELAY.get(env.RELAY.idFromName(route.relayId));
  return (await object.fetch(request as object as Parameters<typeof object.fetch>[0])) as unknown as Response;
}
