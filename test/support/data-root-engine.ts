import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { createEngine } from '../../runner/container/create-engine.ts';
import type { Engine } from '../../runner/container/engine.ts';
import type { EngineLog } from '../../runner/container/engine-context.ts';
import { instanceId, openRunnerDatabase } from '../../runner/database.ts';
import type { ImageStore } from '../../runner/image/store.ts';
import { createImageStore } from '../../runner/image/local-store.ts';
import { createLauncher } from '../../runner/launcher/client.ts';
import { createNetwork, removeNetwork } from '../../runner/network/bridge-network.ts';
import type { Network } from '../../runner/network/network.ts';
import { prepareCgroupTree, removeCgroup, type CgroupTree } from '../../runner/os/cgroup.ts';

/** The container engine of a data root, in this network namespace, without anything above it. */
export interface DataRootEngine extends AsyncDisposable {
  readonly database: DatabaseSync;
  readonly instance: string;
  readonly images: ImageStore;
  readonly network: Network;
  readonly engine: Engine;
  readonly cgroup: CgroupTree;
  readonly log: EngineLog;
  /** Removes what the engine made outside of its data root, after the last container was removed. */
  clear(): Promise<void>;
}

const binaries = new URL('../../build/bin/', import.meta.url).pathname;

/** Opens it, with its log on standard error. Disposing it leaves its containers running. */
export async function openDataRootEngine(root: string): Promise<DataRootEngine> {
  await using parts = new AsyncDisposableStack();
  const log: EngineLog = (level, message) => void process.stderr.write(`${level}: ${message}\n`);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const database = parts.adopt(openRunnerDatabase(join(root, 'runner.db')), (one) => one.close());
  const instance = instanceId(database);
  const cgroup = await prepareCgroupTree(instance);
  const images = await createImageStore({
    database,
    directory: join(root, 'images'),
    unpackBinary: join(binaries, 'berth-unpack'),
  });
  const launcher = parts.use(
    await createLauncher({
      binary: join(binaries, 'berth-launcher'),
      cgroupRoot: cgroup.mountPoint,
      shimCgroup: join(cgroup.mountPoint, cgroup.path, 'shims'),
      cacheDirectory: join(root, 'cache'),
      controllers: cgroup.controllers,
    }),
  );
  const network = parts.use(await createNetwork({ database, launcher, instance }));
  const directory = join(root, 'containers');
  const engine = parts.use(
    await createEngine({ database, images, network, launcher, directory, cgroup, clock: Date.now, log }),
  );
  const opened = parts.move();
  return {
    ...{ database, instance, images, network, engine, cgroup, log },
    async clear() {
      await removeNetwork({ launcher, instance });
      await removeCgroup(cgroup.mountPoint + cgroup.path);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
