import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { randomSecret } from '#shared/id.ts';
import { bootstrapSecret } from '../node/bootstrap-secret.ts';
import { DataLock } from '../node/data-lock.ts';
import type { ControlPlaneOptions } from '../node/options.ts';
import type { ControlPlane } from '../node/run.ts';
import { bundleWorker } from './edge-bundle.ts';
import { startHranaServer } from './hrana-server.ts';

/**
 * FOR DEVELOPMENT AND TESTS ONLY: starts the Worker build in workerd, with its libSQL server.
 *
 * @throws BerthError `data.in-use`
 */
export async function startEdge(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dataDirectory, host, timing } = options;
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  await using parts = new AsyncDisposableStack();
  parts.use(DataLock.take(dataDirectory));
  const secret = await bootstrapSecret(dataDirectory);
  const token = randomSecret('');
  const hrana = parts.use(await startHranaServer({ path: join(dataDirectory, 'cluster.db'), token, port: 0 }));
  const { script, compatibilityDate } = await bundleWorker();
  const port = options.port === 0 ? await freePort(host) : options.port;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: 'berth-control-plane',
      modules: true,
      script,
      compatibilityDate,
      host,
      port,
      cf: false,
      telemetry: { enabled: false },
      resourcePersistencePath: join(dataDirectory, 'objects'),
      durableObjects: {
        CLUSTER: { className: 'ClusterObject', useSQLite: true },
        RELAY: { className: 'RelayObject', useSQLite: true },
      },
      bindings: {
        LIBSQL_URL: hrana.url,
        LIBSQL_TOKEN: token,
        BOOTSTRAP_SECRET: secret.text,
        HEARTBEAT_MS: String(timing.heartbeatMs),
        LEASE_MS: String(timing.leaseMs),
      },
    }),
  );
  parts.defer(() => miniflare.dispose());
  await miniflare.ready; // its own URL is always one on loopback
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const running = parts.move();
  return { url, secretPath: secret.path, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** A port that is free now; Miniflare does not tell which one it takes on an address other than loopback. */
async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
