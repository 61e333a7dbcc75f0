import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { BerthError, errorText } from '#shared/errors.ts';
import { createApp } from './app.ts';
import { bootstrapSecret } from './node/bootstrap-secret.ts';
import { DataLock } from './node/data-lock.ts';
import { drainWhenAnswered } from './node/drain.ts';
import { CONTROL_PLANE_HELP, type ControlPlaneOptions } from './node/options.ts';
import { runUntilSignalled, type ControlPlane } from './node/run.ts';
import { ClusterHub } from './session/hub.ts';
import { InProcessRelays } from './session/in-process-relays.ts';
import { NodeHostSockets, NodeWebSockets } from './session/node-ws.ts';
import { TimerAlarm } from './session/timer-alarm.ts';
import { upgradeNeeded, upgradeRoute } from './session/upgrade-route.ts';
import { createCluster } from './store/cluster-store.ts';
import { openEmbedded } from './store/embedded.ts';
import { migrate } from './store/migrate.ts';

/** `berth control-plane`: the control plane in one Node process, on an embedded database. Resolves with the exit code. */
export function runControlPlane(argv: readonly string[]): Promise<number> {
  return runUntilSignalled(argv, CONTROL_PLANE_HELP, startControlPlane);
}

/**
 * Starts all parts, each of which is stopped in the opposite order: connections first, then the database, then the lock.
 *
 * @throws BerthError `data.in-use`, `data.unusable` or `listen.failed`
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const clock = Date.now;
  const log = (line: string): void => console.error(`berth control-plane: ${line}`);
  await makeDataDirectory(options.dataDirectory);
  await using parts = new AsyncDisposableStack();
  parts.use(DataLock.take(options.dataDirectory));
  const secret = await bootstrapSecret(options.dataDirectory);
  const database = parts.use(await openDatabase(join(options.dataDirectory, 'cluster.db')));

  const sockets = new NodeHostSockets();
  const relays = new InProcessRelays(clock);
  const cluster = createCluster({ database, clock });
  const alarm: TimerAlarm = new TimerAlarm(() => {
    hub.wake().catch((error: unknown) => {
      log(`the alarm's work failed, next try in 5 s: ${errorText(error)}`);
      alarm.ensure(clock() + 5_000);
    });
  });
  const hub: ClusterHub = new ClusterHub({ cluster, clock, sockets, alarm, relays, timing: options.timing, log });
  parts.defer(() => hub.settle());
  parts.use(alarm);
  const app = createApp({ database, hub, clock, bootstrapSecret: secret.text });
  const listener = getRequestListener(
    answering((request) => app.fetch(request)),
    {
      // Node itself reads away the body of a request that was refused early, so that its sender reads the answer and no reset.
      autoCleanupIncoming: false,
    },
  );
  const server = createServer((request, response) => {
    drainWhenAnswered(request, response);
    void listener(request, response);
  });
  parts.defer(() => closeServer(server));
  parts.use(new NodeWebSockets(server, { hub, sockets, relays, clock, log }));
  await hub.start();
  const url = await listen(server, options);
  const running = parts.move();
  return { url, secretPath: secret.path, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function makeDataDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new BerthError(
      'unavailable',
      'data.unusable',
      `cannot make the data directory ${path}: ${errorText(cause)}`,
      {
        cause,
        remedy: 'Choose another one with --data DIR.',
      },
    );
  }
}

/** The database with its schema up to date. */
async function openDatabase(path: string) {
  await using opened = new AsyncDisposableStack();
  try {
    const database = opened.use(await openEmbedded(path));
    await migrate(database);
    opened.move();
    return database;
  } catch (cause) {
    throw new BerthError('unavailable', 'data.unusable', `cannot open the database ${path}: ${errorText(cause)}`, {
      cause,
      remedy: 'Restore it from a backup, or begin a new cluster with another --data DIR.',
    });
  }
}

/** The app, but for the paths that are WebSockets'. */
function answering(fetch: (request: Request) => Response | Promise<Response>) {
  return (request: Request): Response | Promise<Response> => {
    const { pathname } = new URL(request.url);
    return upgradeRoute(pathname) === undefined ? fetch(request) : upgradeNeeded(pathname);
  };
}

async function listen(server: Server, { host, port }: ControlPlaneOptions): Promise<string> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (cause) {
    throw new BerthError('unavailable', 'listen.failed', `cannot listen on ${host}:${port}: ${errorText(cause)}`, {
      cause,
      remedy: 'Choose another address with --listen HOST:PORT.',
    });
  }
  const { address, family, port: taken } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections(); // among them readers of the event log, who wait long
  await closed;
}
