import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { errorText, isBerthError } from '#shared/errors.ts';
import { randomSecret } from '#shared/id.ts';
import { bootstrapSecret } from '../node/bootstrap-secret.ts';
import { DataLock } from '../node/data-lock.ts';
import { parseControlPlaneOptions, type ControlPlaneOptions } from '../node/options.ts';
import { bundleWorker } from './edge-bundle.ts';
import { startHranaServer } from './hrana-server.ts';

/**
 * FOR DEVELOPMENT AND TESTS ONLY: the Worker build of the control plane in workerd on this machine, with its Durable
 * Objects and a libSQL server on loopback. Takes the options of `berth control-plane`, and prints what that prints:
 *
 *     node control-plane/dev/edge.ts --listen HOST:PORT --data DIR
 */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = parseControlPlaneOptions(argv);
    if (options === 'help') {
      process.stdout.write('Usage: node control-plane/dev/edge.ts, with the options of `berth control-plane`.\n');
      return 0;
    }
    const stop = signalled();
    await using edge = await startEdge(options);
    process.stdout.write(
      `berth control-plane: listening on ${edge.url}\n` +
        `first login: berth login ${edge.url} --bootstrap "$(cat ${edge.secretPath})"\n`,
    );
    await stop;
    return 0;
  } catch (error) {
    process.stderr.write(`berth control-plane in workerd: ${errorText(error)}\n`);
    return isBerthError(error) && error.kind === 'invalid' ? 2 : 1;
  }
}

interface Edge extends AsyncDisposable {
  readonly url: string;
  readonly secretPath: string;
}

async function startEdge(options: ControlPlaneOptions): Promise<Edge> {
  const { dataDirectory, host, port, timing } = options;
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  await using parts = new AsyncDisposableStack();
  parts.use(DataLock.take(dataDirectory));
  const secret = await bootstrapSecret(dataDirectory);
  const token = randomSecret('');
  const hrana = parts.use(await startHranaServer({ path: join(dataDirectory, 'cluster.db'), token, port: 0 }));
  const { script, compatibilityDate } = await bundleWorker();
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
  const url = (await miniflare.ready).origin;
  const running = parts.move();
  return { url, secretPath: secret.path, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

process.exitCode = await main(process.argv.slice(2));
